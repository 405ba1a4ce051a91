/** Which variant of the model the page's address asks for, and the address of each. */

import type { Variant } from './site-files';

const PARAMETER = 'variant';

/** Returns the variant that the address names, else the first; undefined where there is none. */
export function addressedVariant(
  variants: readonly Variant[],
  search: string,
): Variant | undefined {
  const asked = new URLSearchParams(search).get(PARAMETER);
  return variants.find(({ name }) => name === asked) ?? variants[0];
}

/** Returns the page's address for a variant; the first needs no mention. */
export function variantAddress(
  variants: readonly Variant[],
  { name }: Variant,
  address: string,
): string {
  const url = new URL(address);
  if (name === variants[0]?.name) {
    url.searchParams.delete(PARAMETER);
  } else {
    url.searchParams.set(PARAMETER, name);
  }
  return url.href;
}

/** Finds what the template promises to hold. */

/** Returns the one element that a selector names, checked for its kind. */
export function element<Kind extends Element>(
  selector: string,
  kind: new () => Kind,
  within: ParentNode = document,
): Kind {
  const found = within.querySelector(selector);
  if (!(found instanceof kind)) {
    throw new Error(`the page's template has no ${kind.name} at ${selector}`);
  }
  return found;
}

/**
 * Shows what this page costs on other networks: as `toolchain measure` found it, else the least time
 * that the network allows.
 *
 * The file is written by `toolchain/report/published.py`, and its schema is
 * `docs/report.networks.schema.json`.
 */

import { byteSize, decimal, duration } from './number-format';
import {
  checkNetworks,
  type Networks,
  type Profile,
  type SlowLink,
  type Visits,
} from '../schemas/networks';
import { passes } from '../schemas/checks';
import { say, type TextName } from './language';
import { backendTitle } from './sentences';
import { absolute } from './site-files';
import { bringers, type LoadedFile } from './transfers';

const FILE = 'report.networks.json';

/** What Resource Timing counts for the headers of one answer. */
const HEADER_BYTES = 300;

/** The presets' names; any other network keeps the name it was measured under. */
const NAMES: Readonly<Record<string, TextName>> = {
  'slow-3g': 'networkSlow3g',
  'fast-3g': 'networkFast3g',
  '4g': 'network4g',
  cable: 'networkCable',
};

/** A row of the table: a profile that was measured, or a network that none was measured on. */
export interface Row {
  readonly network: SlowLink;
  readonly profile: Profile | null;
}

/**
 * Returns the least time in which so many bytes can come: one round trip for the document, and
 * the time that the link is busy with them (`toolchain/throttling.py`).
 */
export function leastMs({ down_bits, round_trip_ms }: SlowLink, bytes: number): number {
  return round_trip_ms + (1000 * 8 * bytes) / down_bits;
}

/** Returns what the table shows, network by network. */
export function rowsOf({ networks, measured }: Networks): readonly Row[] {
  return networks.flatMap((network): readonly Row[] => {
    const profiles = measured.filter((profile) => profile.network === network.name);
    return profiles.length > 0
      ? profiles.map((profile) => ({ network, profile }))
      : [{ network, profile: null }];
  });
}

/**
 * Returns the least bytes on the wire with which a first visit has its tags.
 *
 * A file from a cache counts with its size on the wire if that is known, else with nothing.
 *
 * @param kept - Tells the length of what the service worker has, as the host sent it.
 */
export async function leastBytes(
  files: readonly LoadedFile[],
  firstTagMs: number,
  kept: (url: string) => Promise<number | null>,
): Promise<number> {
  const sizes = files.map(async (file) => {
    const [request] = bringers(file);
    if (!request || request.end - performance.timeOrigin > firstTagMs) {
      return 0;
    }
    if (request.wireBytes > 0) {
      return request.wireBytes;
    }
    const body = request.isKept ? await kept(file.url) : request.encodedBytes;
    return body ? body + HEADER_BYTES : 0;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Shows the table. */
export async function showNetworkTable(
  place: HTMLElement,
  files: readonly LoadedFile[],
  firstTagMs: number | undefined,
): Promise<void> {
  found ??= networks();
  const known = await found;
  if (!known) {
    place.textContent = say('networksMissing');
    return;
  }
  const bytes = firstTagMs === undefined ? null : await leastBytes(files, firstTagMs, keptLength);
  const table = document.createElement('table');
  table.className = 'parts';
  const head = table.createTHead().insertRow();
  for (const text of ['network', 'firstVisit', 'secondVisit'] as const) {
    head.append(cell('th', say(text), '', 'col'));
  }
  const body = table.createTBody();
  body.append(...rowsOf(known).map((row) => shownRow(row, bytes)));
  place.replaceChildren(table);
}

let found: Promise<Networks | null> | undefined;

async function networks(): Promise<Networks | null> {
  try {
    // Its name stays when its content changes.
    const answer = await fetch(absolute(FILE), { cache: 'no-cache' });
    const content: unknown = answer.ok ? await answer.json() : null;
    return passes(checkNetworks, content) ? content : null;
  } catch {
    return null;
  }
}

async function keptLength(url: string): Promise<number | null> {
  // The document is kept under an address with its version.
  const options = { ignoreVary: true, ignoreSearch: true };
  const answer = 'caches' in self ? await caches.match(url, options) : undefined;
  const length = answer?.headers.get('content-length');
  return length ? Number(length) : null;
}

function shownRow({ network, profile }: Row, bytes: number | null): HTMLTableRowElement {
  const row = document.createElement('tr');
  row.dataset['network'] = network.name;
  row.append(cell('th', nameOf(network.name), facts(network, profile), 'row'));
  if (profile) {
    row.append(visitCell(profile.first), visitCell(profile.repeat));
  } else if (bytes === null) {
    row.append(cell('td', '–'), cell('td', '–'));
  } else {
    const least = leastMs(network, bytes);
    row.dataset['leastMs'] = String(least);
    row.append(
      cell('td', say('atLeast', { time: duration(least) }), byteSize(bytes)),
      cell('td', '–'),
    );
  }
  return row;
}

function nameOf(network: string): string {
  const text = NAMES[network];
  return text ? say(text) : network;
}

function facts({ down_bits, round_trip_ms }: SlowLink, profile: Profile | null): string {
  const link = say('networkLink', {
    rate: decimal(down_bits / 1e6, 3),
    roundTrip: duration(round_trip_ms),
  });
  if (!profile) {
    return link;
  }
  const { ran_on, browser, runs } = profile;
  const how = say(profile.host === 'plain' ? 'networkMeasuredPlain' : 'networkMeasured', {
    backend: backendTitle(ran_on),
    browser,
    runs,
  });
  return `${link}; ${how}`;
}

function visitCell({ first_tag_ms, full_tag_ms, wire_bytes }: Visits): HTMLElement {
  const full = full_tag_ms === null ? '' : `${say('factFull', { time: duration(full_tag_ms) })}; `;
  const shown = cell('td', duration(first_tag_ms), full + byteSize(wire_bytes));
  shown.dataset['ms'] = String(first_tag_ms);
  return shown;
}

function cell(tag: 'th' | 'td', text: string, note = '', scope = ''): HTMLElement {
  const made = document.createElement(tag);
  made.append(text);
  if (scope) {
    made.setAttribute('scope', scope);
  }
  if (note) {
    const small = document.createElement('small');
    small.textContent = note;
    made.append(small);
  }
  return made;
}

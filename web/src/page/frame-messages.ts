/**
 * Messages between the page and a page of another site that shows it in a frame.
 *
 * `docs/embed.md` describes them. The site's owner lists the origins of such pages; no other page
 * is told anything, or heard. This code is loaded only where a listed page may be there.
 */

import type { Tagging } from '../messages';

/** What a frame needs of its window. */
export interface FrameWindow {
  readonly parent: Pick<Window, 'postMessage'>;
  readonly location: { readonly ancestorOrigins?: { readonly [at: number]: string } };
  addEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
}

/** What the page does with a photo. */
export interface FramedPage {
  /** Tags a photo and shows it with this name; an empty one stands for an unnamed photo. */
  tag(photo: Blob, name: string): void;
  /** Changes with each photo that is given, in any way. */
  ticket(): number;
}

/** The page's end; a photo's ticket is that of {@link FramedPage} while it is the newest. */
export interface FrameMessages {
  /** Tells the tags of the photo with a ticket. */
  tagged(tagging: Tagging, ticket: number): void;
  /** Tells why the photo with a ticket has no tags, in the page's language. */
  failed(message: string, ticket: number): void;
}

/**
 * Says that the page is ready, and listens.
 *
 * @param origins - Those of the pages that may take part.
 */
export function exchangeMessages(
  origins: readonly string[],
  page: FramedPage,
  frame: FrameWindow,
): FrameMessages {
  // Where the browser says who frames the page, the others need not be tried.
  const around = frame.location.ancestorOrigins?.[0];
  const told = around === undefined ? origins : origins.filter((each) => each === around);
  /** The photo that last came by a message: its ticket, and what the sender calls it. */
  let given: { readonly ticket: number; readonly id: unknown } | undefined;

  // The browser delivers a message only to a page of the origin that it is meant for.
  const post = (message: unknown): void =>
    told.forEach((origin) => frame.parent.postMessage(message, origin));
  const idOf = (ticket: number): unknown => (given?.ticket === ticket ? given.id : null);

  frame.addEventListener('message', ({ source, origin, data }) => {
    const { type, photo, name, id = null } = (data ?? {}) as Record<string, unknown>;
    if (source !== frame.parent || !origins.includes(origin) || type !== 'toolchain:photo') {
      return;
    }
    if (photo instanceof Blob) {
      page.tag(photo, typeof name === 'string' ? name : '');
      given = { ticket: page.ticket(), id };
    } else {
      post({ type: 'toolchain:error', id, message: 'photo is not a Blob; send a file.' });
    }
  });
  post({ type: 'toolchain:ready', version: 1 });

  return {
    tagged: ({ tags }, ticket) => {
      const plain = tags.map(({ label, classIndex, score }) => ({
        label,
        index: classIndex,
        score,
      }));
      const isNearest = tags[0]?.isNearest === true;
      post({
        type: 'toolchain:tags',
        id: idOf(ticket),
        tags: isNearest ? [] : plain,
        nearest: isNearest ? plain[0] : null,
      });
    },
    failed: (message, ticket) => post({ type: 'toolchain:error', id: idOf(ticket), message }),
  };
}

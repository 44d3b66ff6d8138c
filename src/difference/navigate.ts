// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/** How far below the top edge something may lie to be taken for what one is at, in px. */
const EDGE = 8;

/**
 * Go to the next or previous thing that differs in a part that scrolls, and give it the focus.
 *
 * @param scroll - The part; what can be gone to in it has `data-change`
 * @param forward - Whether to the next
 * @returns Whether there was one
 */
export function goToChange(scroll: HTMLElement, forward: boolean): boolean {
  const places = [...scroll.querySelectorAll<HTMLElement>('[data-change]')]
    // a row of a cell stands for itself, its cell for the first of them
    .filter(place => !place.parentElement?.closest('[data-change]'));
  if (places.length === 0) {
    return false;
  }
  const edge = scroll.getBoundingClientRect().top + EDGE;
  const tops = places.map(place => place.getBoundingClientRect().top);
  const focused = places.findIndex(place =>
    place.contains(scroll.ownerDocument.activeElement)
  );
  const isNear = (top: number): boolean =>
    top > edge - EDGE - 1 && top < edge + scroll.clientHeight;
  let to: number;
  if (focused >= 0 && isNear(tops[focused])) {
    to = focused + (forward ? 1 : -1);
  } else if (forward) {
    to = tops.findIndex(top => top > edge);
  } else {
    to = tops.filter(top => top < edge - 2 * EDGE).length - 1;
  }
  const place = places[to];
  if (!place) {
    return false;
  }
  scroll.scrollTop += place.getBoundingClientRect().top - edge + EDGE;
  if (place.tabIndex === -1) {
    place.focus({ preventScroll: true });
  }
  return true;
}

/**
 * Which way a key goes among what differs; null where it is none of those keys.
 *
 * #### Notes
 * Where something is typed, keys belong to what is typed.
 */
export function directionOf(event: {
  key: string;
  altKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  target: EventTarget | null;
}): 'next' | 'previous' | null {
  if (event.ctrlKey || event.metaKey || isTyping(event.target)) {
    return null;
  }
  if (event.altKey) {
    return event.key === 'ArrowDown'
      ? 'next'
      : event.key === 'ArrowUp'
        ? 'previous'
        : null;
  }
  return event.key === 'n' ? 'next' : event.key === 'p' ? 'previous' : null;
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest(
      'input:not([type=checkbox]), textarea, select, [contenteditable=true]'
    ) !== null
  );
}

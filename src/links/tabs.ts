// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Widget } from '@lumino/widgets';

import type { ILink } from './link';

const links = new WeakMap<Widget, () => ILink>();

/**
 * Say what a link to a tab asks for.
 *
 * @param tab - The tab
 * @param link - Tells it as it is at the moment
 */
export function setLink(tab: Widget, link: () => ILink): void {
  links.set(tab, link);
}

/** What a link to a tab asks for; null where nobody said. */
export function linkOf(tab: Widget | null): ILink | null {
  return (tab && links.get(tab)?.()) ?? null;
}

// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IArrangement } from './arrange';

/**
 * What a key does in the drawing.
 */
export interface IKeyActions {
  arrangement: IArrangement;
  selected: string | null;
  start: readonly string[];
  select: (id: string) => void;
  choose: (id: string) => void;
  open: (id: string) => void;
  escape: () => void;
  zoom: (way: number) => void;
}

/**
 * Do what a key says; tell whether it said anything.
 */
export function handleKey(
  event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey'>,
  actions: IKeyActions
): boolean {
  const { arrangement, selected } = actions;
  const { key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return false;
  }
  if (key.startsWith('Arrow')) {
    const next =
      selected === null
        ? firstOf(arrangement, actions.start)
        : neighbour(arrangement, selected, key);
    if (next !== undefined) {
      actions.select(next);
    }
    return true;
  }
  switch (key) {
    case 'Escape':
      actions.escape();
      return true;
    case '+':
    case '=':
      actions.zoom(1);
      return true;
    case '-':
      actions.zoom(-1);
      return true;
    case '0':
      actions.zoom(0);
      return true;
    case 'Enter':
      if (selected !== null) {
        actions.open(selected);
      }
      return selected !== null;
    case ' ':
      if (selected !== null) {
        actions.choose(selected);
      }
      return true;
    default:
      return false;
  }
}

function firstOf(
  { nodes, shownFor }: IArrangement,
  start: readonly string[]
): string | undefined {
  return (start[0] && shownFor(start[0])) || [...nodes.keys()].pop();
}

/**
 * The node that an arrow key leads to: along an edge, or to the next one in the column.
 */
function neighbour(
  { nodes, up, down }: IArrangement,
  id: string,
  key: string
): string | undefined {
  const from = nodes.get(id)?.place;
  if (!from) {
    return undefined;
  }
  const distance = (other: string): number =>
    Math.abs((nodes.get(other)?.place.row ?? 0) - from.row);
  const nearest = (ids: readonly string[]): string | undefined =>
    [...ids].sort((a, b) => distance(a) - distance(b))[0];
  if (key === 'ArrowLeft') {
    return nearest(up(id));
  }
  if (key === 'ArrowRight') {
    return nearest(down(id));
  }
  const sign = key === 'ArrowUp' ? -1 : 1;
  return nearest(
    [...nodes.values()]
      .filter(
        ({ place }) =>
          place.layer === from.layer && (place.row - from.row) * sign > 0
      )
      .map(shown => shown.id)
  );
}

// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * What the layout has to know of a node.
 */
export interface ILayoutNode {
  /** Tells nodes apart. */
  id: string;

  /** When it came: a node is never placed by what is newer. */
  order: number;
}

/**
 * An arrow, in the direction of time.
 */
export interface ILayoutEdge {
  source: string;
  target: string;
}

/**
 * Where a node is.
 */
export interface IPlace {
  /** The column, from the left. */
  layer: number;

  /** The row, from the top. */
  row: number;
}

/** How many layers a source keeps free to its right, for a run that reads it and what that writes. */
const BAND = 3;

/** Lines longer than this many layers are not kept free. */
const LONGEST_LINE = 64;

/** How many other rows are tried for a node whose line to a parent would run behind nodes. */
const TURNS = 3;

/**
 * Place the nodes of a graph from left to right.
 *
 * A node's layer is the longest path that leads to it, its row the first free one at or below the
 * row of its nearest parent, as lanes are chosen in a commit graph; a source takes the first row
 * that is free for all that will follow it. Oldest nodes are placed first and what is placed is never
 * moved: nodes that are newer than all others leave the others where they are. The time is linear in nodes and
 * edges, but for the sorting of nodes that do not come oldest first.
 *
 * @param nodes - The nodes, in any order
 * @param edges - The edges; those against the order of time, of a cycle or to unknown nodes do not count
 * @returns A place for each node; no two have the same
 */
export function placeNodes(
  nodes: readonly ILayoutNode[],
  edges: readonly ILayoutEdge[]
): Map<string, IPlace> {
  const sorted = oldestFirst(nodes, edges);
  const position = new Map(sorted.map(({ id }, index) => [id, index]));
  const parents: number[][] = sorted.map(() => []);
  for (const { source, target } of edges) {
    const from = position.get(source);
    const to = position.get(target);
    if (from !== undefined && to !== undefined && from < to) {
      parents[to].push(from);
    }
  }

  const places: IPlace[] = [];
  const layers: Lanes[] = [];
  const lanes = (layer: number): Lanes => (layers[layer] ??= new Lanes());
  let band = 0;
  for (const above of parents) {
    let nearest: IPlace | null = null;
    for (const index of above) {
      const place = places[index];
      if (
        !nearest ||
        place.layer > nearest.layer ||
        (place.layer === nearest.layer && place.row < nearest.row)
      ) {
        nearest = place;
      }
    }
    const layer = nearest ? nearest.layer + 1 : 0;
    const isBehind = (at: number, before: number): boolean =>
      above.some(index => isLineBlocked(places[index], at, before, lanes));
    let row: number;
    if (nearest) {
      row = lanes(layer).firstFree(nearest.row);
      for (let turn = 0; turn < TURNS && isBehind(row, layer); turn++) {
        row = lanes(layer).firstFree(row + 1);
      }
    } else {
      while (!isBandFree(lanes, band)) {
        band += 1;
      }
      row = band;
    }
    lanes(layer).take(row);
    places.push({ layer, row });
    keepLinesFree(
      above.map(index => places[index]),
      { layer, row },
      lanes
    );
  }
  return new Map(sorted.map(({ id }, index) => [id, places[index]]));
}

/**
 * Whether a straight line to a parent would run behind nodes.
 */
function isLineBlocked(
  parent: IPlace,
  row: number,
  layer: number,
  lanes: (layer: number) => Lanes
): boolean {
  if (parent.row !== row || layer - parent.layer > LONGEST_LINE) {
    return false;
  }
  for (let at = parent.layer + 1; at < layer; at++) {
    if (lanes(at).firstFree(row) !== row) {
      return true;
    }
  }
  return false;
}

/**
 * A line from a parent some layers away in the same row is not to run behind nodes that come later.
 */
function keepLinesFree(
  parents: readonly IPlace[],
  place: IPlace,
  lanes: (layer: number) => Lanes
): void {
  for (const parent of parents) {
    const span = place.layer - parent.layer;
    if (parent.row === place.row && span > 1 && span <= LONGEST_LINE) {
      for (let layer = parent.layer + 1; layer < place.layer; layer++) {
        lanes(layer).take(place.row);
      }
    }
  }
}

function isBandFree(lanes: (layer: number) => Lanes, row: number): boolean {
  for (let layer = 0; layer < BAND; layer++) {
    if (lanes(layer).firstFree(row) !== row) {
      return false;
    }
  }
  return true;
}

/**
 * Nodes by age; of one age, what leads to others before them, else by id.
 */
function oldestFirst(
  nodes: readonly ILayoutNode[],
  edges: readonly ILayoutEdge[]
): ILayoutNode[] {
  const order = new Map(nodes.map(node => [node.id, node.order]));
  const waits = new Map<string, number>();
  const followers = new Map<string, string[]>();
  for (const { source, target } of edges) {
    if (
      source !== target &&
      order.has(source) &&
      order.get(source) === order.get(target)
    ) {
      waits.set(target, (waits.get(target) ?? 0) + 1);
      const list = followers.get(source);
      if (list) {
        list.push(target);
      } else {
        followers.set(source, [target]);
      }
    }
  }
  const depth = new Map<string, number>();
  const ready = nodes.filter(({ id }) => !waits.has(id)).map(({ id }) => id);
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    const next = (depth.get(id) ?? 0) + 1;
    for (const follower of followers.get(id) ?? []) {
      depth.set(follower, Math.max(depth.get(follower) ?? 0, next));
      const left = (waits.get(follower) ?? 0) - 1;
      waits.set(follower, left);
      if (left === 0) {
        ready.push(follower);
      }
    }
  }
  const unique = [...new Map(nodes.map(node => [node.id, node])).values()];
  return unique.sort(
    (a, b) =>
      a.order - b.order ||
      (depth.get(a.id) ?? 0) - (depth.get(b.id) ?? 0) ||
      (a.id < b.id ? -1 : 1)
  );
}

/**
 * The rows of a layer that are taken.
 */
class Lanes {
  /** The first free row at or below a row. */
  firstFree(row: number): number {
    let free = row;
    for (
      let next = this._next.get(free);
      next !== undefined;
      next = this._next.get(free)
    ) {
      free = next;
    }
    // later searches from the rows on the way jump there at once
    for (let at = row; at !== free;) {
      const next = this._next.get(at) as number;
      this._next.set(at, free);
      at = next;
    }
    return free;
  }

  /** Take a row. */
  take(row: number): void {
    if (!this._next.has(row)) {
      this._next.set(row, row + 1);
    }
  }

  private _next = new Map<number, number>();
}

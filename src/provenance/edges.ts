// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import type { Edge } from '@xyflow/react';
import { MarkerType } from '@xyflow/react';

import type { IArrangement, IShownEdge, IShownNode } from './arrange';
import { positionOf } from './camera';
import { GRID, NODE } from './nodes';
import { edgeSentence, shownTitle } from './words';

/** Edges over more columns or rows are drawn faintly. */
const LONG = { x: 5, y: 12 };

/** How many dashes an edge has at most. */
const DASHES = 120;

const MARKER = {
  type: MarkerType.ArrowClosed,
  width: 16,
  height: 16,
  color: 'var(--jp-dotscience-edge)'
};

/**
 * The line from one node to another, in pixels of the graph: it leaves and arrives level.
 */
export interface ICurve {
  start: { x: number; y: number };
  end: { x: number; y: number };

  /** Where both of its control points are, from left to right. */
  middle: number;
}

/**
 * The line between two nodes.
 */
export function curveOf(from: IShownNode, to: IShownNode): ICurve {
  const a = positionOf(from);
  const b = positionOf(to);
  const start = { x: a.x + NODE.width, y: a.y + NODE.height / 2 };
  const end = { x: b.x, y: b.y + NODE.height / 2 };
  return { start, end, middle: (start.x + end.x) / 2 };
}

/**
 * Whether an edge goes so far that it is drawn faintly.
 */
export function isLong(edge: IShownEdge, arrangement: IArrangement): boolean {
  const { x, y } = reach(edge, arrangement);
  return x > LONG.x || y > LONG.y;
}

/**
 * The dashes and gaps of an edge, in pixels of the graph; none of one that was declared.
 */
export function dashesOf(
  edge: IShownEdge,
  arrangement: IArrangement
): [number, number] | null {
  if (!edge.derived && edge.kind !== 'same') {
    return null;
  }
  // browsers draw a line of thousands of dashes too slowly to move it about
  const { x, y } = reach(edge, arrangement);
  const dash = Math.max(5, (x * GRID.x + y * GRID.y) / DASHES);
  return edge.kind === 'same' ? [1, dash] : [dash, dash * 0.8];
}

/**
 * The edges as React Flow draws them.
 */
export function drawnEdges(
  arrangement: IArrangement,
  trans: TranslationBundle
): Edge[] {
  const title = (id: string): string => {
    const shown = arrangement.nodes.get(id);
    return shown ? shownTitle(shown, trans) : '';
  };
  return arrangement.edges.map(edge => ({
    id: edge.id,
    source: edge.source,
    target: edge.target,
    ariaLabel: edgeSentence(
      edge,
      title(edge.source),
      title(edge.target),
      trans
    ),
    className: [
      `jp-mod-${edge.kind}`,
      isLong(edge, arrangement) ? 'jp-mod-long' : '',
      edge.dimmed ? 'jp-mod-dimmed' : ''
    ]
      .join(' ')
      .trim(),
    style: {
      strokeDasharray: dashesOf(edge, arrangement)
        ?.map(length => length.toFixed(1))
        .join(' ')
    },
    markerEnd: edge.kind === 'same' ? undefined : MARKER
  }));
}

/** Over how many columns and rows an edge goes. */
function reach(
  { source, target }: IShownEdge,
  { nodes }: IArrangement
): { x: number; y: number } {
  const from = nodes.get(source)?.place;
  const to = nodes.get(target)?.place;
  return from && to
    ? { x: Math.abs(to.layer - from.layer), y: Math.abs(to.row - from.row) }
    : { x: 0, y: 0 };
}

// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Viewport } from '@xyflow/react';
import { useReactFlow, useStore } from '@xyflow/react';
import * as React from 'react';

import type { IArrangement, IShownNode } from './arrange';
import type { ProvenanceModel } from './model';
import type { FlowNode } from './nodes';
import { GRID, NODE } from './nodes';

/** A graph is shown whole if it fits at this zoom. */
const READABLE = 0.5;

/** A part of a graph is shown at this zoom. */
const CLOSE = 0.8;

/** How near to the side of the drawing a selected node may be, in pixels of the screen. */
const EDGE = 24;

/** How far beyond its nodes the drawing can be moved, in its pixels. */
const BEYOND = 1200;

/** How much is kept free at each side of a whole graph, in pixels of the screen. */
const MARGIN = 24;

/** The smallest zoom: nodes are a dot then. */
const TINIEST = 0.005;

/**
 * Look at the start of a graph that was just read, keep what was looked at when nodes come to
 * it, and go where the search or the list says.
 */
export function useViewport(
  model: ProvenanceModel,
  centre: { id: string } | null
): void {
  const flow = useReactFlow<FlowNode>();
  const { arrangement, generation, selected } = model;
  const width = useStore(state => state.width);
  const height = useStore(state => state.height);
  const isReady = width > 0 && height > 0 && arrangement.nodes.size > 0;
  const before = React.useRef<{ generation: number; nodes: IArrangement }>();

  React.useEffect(() => {
    if (!isReady) {
      return;
    }
    const last = before.current;
    before.current = { generation, nodes: arrangement };
    if (last?.generation !== generation) {
      lookAtStart(flow, model, { width, height });
      return;
    }
    // older nodes came, or others were folded: what one looks at stays in its place
    const anchor = anchorOf(
      last.nodes,
      arrangement,
      selected ?? model.start[0]
    );
    if (anchor) {
      const { x, y, zoom } = flow.getViewport();
      void flow.setViewport({
        x: x - anchor.dx * GRID.x * zoom,
        y: y - anchor.dy * GRID.y * zoom,
        zoom
      });
    }
  }, [isReady, generation, arrangement]);

  React.useEffect(() => {
    const shown = centre && arrangement.nodes.get(centre.id);
    if (isReady && shown) {
      centreOn(flow, shown, Math.max(flow.getZoom(), READABLE));
    }
  }, [centre, isReady]);
}

type Flow = ReturnType<typeof useReactFlow<FlowNode>>;

function lookAtStart(
  flow: Flow,
  model: ProvenanceModel,
  size: { width: number; height: number }
): void {
  const whole = viewOfAll(model.arrangement, size);
  if (whole.zoom >= READABLE) {
    void flow.setViewport(whole);
    return;
  }
  const { nodes } = model.arrangement;
  const all = [...nodes.values()];
  const start = model.start
    .map(id => model.arrangement.shownFor(id))
    .find(id => id !== undefined);
  const newest = all.reduce((a, b) => (b.node.order >= a.node.order ? b : a));
  const shown =
    model.query.start === '' ? newest : (nodes.get(start ?? '') ?? newest);
  // to the side from which the graph goes on
  const { start: asked, direction } = model.query;
  const aside = size.width / 2 - NODE.width;
  const dx =
    asked === '' || direction === 'up'
      ? aside
      : direction === 'down'
        ? -aside
        : 0;
  const at = positionOf(shown);
  void flow.setViewport({
    x: size.width / 2 + dx - (at.x + NODE.width / 2) * CLOSE,
    y: size.height / 2 - (at.y + NODE.height / 2) * CLOSE,
    zoom: CLOSE
  });
}

/**
 * From where everything is seen.
 */
export function viewOfAll(
  arrangement: IArrangement,
  size: { width: number; height: number }
): Viewport {
  const inner = sizeOf(arrangement);
  const fitting = Math.min(
    1,
    (size.width - 2 * MARGIN) / inner.width,
    (size.height - 2 * MARGIN) / inner.height
  );
  const zoom = Math.max(TINIEST, fitting);
  return {
    x: (size.width - inner.width * zoom) / 2,
    y: (size.height - inner.height * zoom) / 2,
    zoom
  };
}

/**
 * Look at a node.
 */
export function centreOn(flow: Flow, shown: IShownNode, zoom: number): void {
  const { x, y } = positionOf(shown);
  void flow.setCenter(x + NODE.width / 2, y + NODE.height / 2, { zoom });
}

/**
 * How far the node that one looks at moved, in places; null where none did.
 */
function anchorOf(
  before: IArrangement,
  after: IArrangement,
  id: string | undefined
): { dx: number; dy: number } | null {
  const key = id === undefined ? undefined : after.shownFor(id);
  const from = before.nodes.get(key ?? '')?.place;
  const to = after.nodes.get(key ?? '')?.place;
  if (!from || !to || (from.layer === to.layer && from.row === to.row)) {
    return null;
  }
  return { dx: to.layer - from.layer, dy: to.row - from.row };
}

/**
 * Move the drawing just as far as it takes to see a node.
 */
export function bringIntoView(
  flow: Flow,
  shown: IShownNode,
  size: { width: number; height: number }
): void {
  const { x, y, zoom } = flow.getViewport();
  const place = positionOf(shown);
  const dx = shift(place.x * zoom + x, NODE.width * zoom, size.width);
  const dy = shift(place.y * zoom + y, NODE.height * zoom, size.height);
  if (dx !== 0 || dy !== 0) {
    void flow.setViewport({ x: x + dx, y: y + dy, zoom });
  }
}

/**
 * How far something must move to lie between 0 and `room`, with a little room around it.
 */
function shift(at: number, length: number, room: number): number {
  if (at < EDGE) {
    return EDGE - at;
  }
  return Math.min(0, Math.max(EDGE - at, room - EDGE - length - at));
}

/**
 * How far the drawing can be moved: never so far that nothing of it is near.
 */
export function extentOf(
  arrangement: IArrangement
): [[number, number], [number, number]] {
  const { width, height } = sizeOf(arrangement);
  return [
    [-BEYOND, -BEYOND],
    [width + BEYOND, height + BEYOND]
  ];
}

/**
 * How large everything is, in pixels of the drawing.
 */
function sizeOf({ nodes }: IArrangement): { width: number; height: number } {
  let x = 0;
  let y = 0;
  for (const shown of nodes.values()) {
    const place = positionOf(shown);
    x = Math.max(x, place.x);
    y = Math.max(y, place.y);
  }
  return { width: x + NODE.width, height: y + NODE.height };
}

/**
 * Where a node is in the drawing, in its pixels.
 */
export function positionOf(shown: IShownNode): { x: number; y: number } {
  return { x: shown.place.layer * GRID.x, y: shown.place.row * GRID.y };
}

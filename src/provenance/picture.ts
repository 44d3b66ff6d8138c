// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IArrangement, IShownEdge, IShownNode } from './arrange';
import { positionOf } from './camera';
import type { ICurve } from './edges';
import { curveOf, dashesOf, isLong } from './edges';
import { COLOURS } from './model';
import { GRID, NODE } from './nodes';

/** At this zoom a node is tall enough to show its border and what kind of thing it is. */
const SHAPES = 0.2;

/** What is smaller than this, in pixels of the screen, is drawn as large as this. */
const SMALLEST = 1;

/** How wide a line is at least, in pixels of the screen. */
const THINNEST = 0.35;

/** How opaque what is not in the lineage that is looked at is. */
const DIMMED = { node: 0.3, edge: 0.2 };

/** The head of an arrow, as long and as wide as React Flow's. */
const HEAD = { length: 5.2, half: 4.2 };

/** The corner that a file's sheet of paper has turned down. */
const CORNER = 13;

/** How round a run is. */
const RADIUS = 10;

/**
 * The colours of the theme, as the style sheet has them.
 */
export interface IColours {
  ground: string;
  border: string;
  line: string;
  brand: string;
  found: string;
  failed: string;

  /** By the number of a program's colour; the last is for what has none. */
  nodes: readonly { full: string; pale: string }[];
}

/**
 * Where the graph is looked at from, and how large the place is.
 */
export interface ILook {
  /** Where the graph's origin is, in pixels of the screen. */
  x: number;
  y: number;
  zoom: number;

  /** The size of the place, in pixels of the screen. */
  width: number;
  height: number;
}

/**
 * What is marked in the picture.
 */
export interface IMarks {
  selected: string | null;
  found: ReadonlySet<string>;
}

/** What the picture needs of a canvas. */
export type Brush = Pick<
  CanvasRenderingContext2D,
  | 'beginPath'
  | 'bezierCurveTo'
  | 'closePath'
  | 'fill'
  | 'fillRect'
  | 'fillStyle'
  | 'globalAlpha'
  | 'lineCap'
  | 'lineTo'
  | 'lineWidth'
  | 'moveTo'
  | 'roundRect'
  | 'setLineDash'
  | 'stroke'
  | 'strokeRect'
  | 'strokeStyle'
>;

interface ILine {
  edge: IShownEdge;
  curve: ICurve;
}

/** Lines that are drawn alike. */
interface ILines {
  lines: ILine[];
  isFaint: boolean;
  isDimmed: boolean;
  isSame: boolean;
  dashes: [number, number] | null;
}

/**
 * Read the colours of the theme.
 *
 * @param element - An element in the provenance tab
 */
export function readColours(element: Element): IColours {
  const computed = getComputedStyle(element);
  const read = (name: string, otherwise: string): string =>
    computed.getPropertyValue(name).trim() || otherwise;
  const ground = read('--jp-layout-color1', '#fff');
  const plain = read('--jp-border-color2', '#ccc');
  const programs = Array.from({ length: COLOURS }, (_, index) =>
    read(`--jp-dotscience-program${index}`, plain)
  );
  return {
    ground,
    border: read('--jp-border-color1', '#bbb'),
    line: read('--jp-dotscience-edge', '#888'),
    brand: read('--jp-brand-color1', '#06c'),
    found: read('--jp-warn-color1', '#e80'),
    failed: read('--jp-error-color1', '#d00'),
    nodes: [...programs, plain].map(full => ({
      full,
      pale: `color-mix(in srgb, ${full} 60%, ${ground})`
    }))
  };
}

/**
 * A graph as it looks from far away: shapes, colours and lines, which one moves about at the pace of
 * the hand where thousands of elements of the page would lag behind.
 */
export class Picture {
  /**
   * Create the picture of what is shown.
   *
   * @param arrangement - What is shown, and where
   * @param colourOf - The number of a node's colour
   */
  constructor(
    arrangement: IArrangement,
    colourOf: (shown: IShownNode) => number | null
  ) {
    this._nodes = [...arrangement.nodes.values()].map(shown => ({
      shown,
      colour: colourOf(shown)
    }));
    for (const { shown } of this._nodes) {
      this._places.set(keyOf(shown.place.layer, shown.place.row), shown);
    }
    const kinds = new Map<string, ILines>();
    for (const edge of arrangement.edges) {
      const from = arrangement.nodes.get(edge.source);
      const to = arrangement.nodes.get(edge.target);
      if (!from || !to) {
        continue;
      }
      const isFaint = isLong(edge, arrangement);
      const isDimmed = edge.dimmed;
      const isSame = edge.kind === 'same';
      const dashes = dashesOf(edge, arrangement);
      const key = JSON.stringify([isFaint, isDimmed, isSame, dashes]);
      const kind = kinds.get(key) ?? {
        lines: [],
        isFaint,
        isDimmed,
        isSame,
        dashes
      };
      kinds.set(key, kind);
      kind.lines.push({ edge, curve: curveOf(from, to) });
    }
    this._lines = [...kinds.values()];
  }

  /**
   * What is at a point of the graph.
   *
   * @param x - From the left, in pixels of the graph
   * @param y - From the top
   * @param zoom - How it is looked at: what is small is hit by what is near, too
   */
  nodeAt(x: number, y: number, zoom: number): IShownNode | undefined {
    const gap =
      zoom < SHAPES
        ? { x: GRID.x - NODE.width, y: GRID.y - NODE.height }
        : { x: 0, y: 0 };
    const layer = Math.floor((x + gap.x / 2) / GRID.x);
    const row = Math.floor((y + gap.y / 2) / GRID.y);
    return x - layer * GRID.x < NODE.width + gap.x / 2 &&
      y - row * GRID.y < NODE.height + gap.y / 2
      ? this._places.get(keyOf(layer, row))
      : undefined;
  }

  /**
   * Paint the nodes that are in view.
   *
   * @param brush - A canvas, in pixels of the screen
   */
  paintNodes(
    brush: Brush,
    look: ILook,
    marks: IMarks,
    colours: IColours
  ): void {
    brush.setLineDash([]);
    for (const { shown, colour } of this._nodes) {
      const { x, y } = positionOf(shown);
      const box = {
        x: x * look.zoom + look.x,
        y: y * look.zoom + look.y,
        width: Math.max(SMALLEST, NODE.width * look.zoom),
        height: Math.max(SMALLEST, NODE.height * look.zoom)
      };
      if (
        box.x < look.width &&
        box.y < look.height &&
        box.x + box.width > 0 &&
        box.y + box.height > 0
      ) {
        brush.globalAlpha = shown.dimmed ? DIMMED.node : 1;
        const { nodes } = colours;
        const { full, pale } = nodes[colour ?? nodes.length - 1];
        paintNode(brush, shown, box, look.zoom, { ...colours, full, pale });
        const isSelected = shown.id === marks.selected;
        if (isSelected || marks.found.has(shown.id)) {
          brush.globalAlpha = 1;
          brush.strokeStyle = isSelected ? colours.brand : colours.found;
          brush.lineWidth = 2;
          brush.strokeRect(box.x - 1, box.y - 1, box.width + 2, box.height + 2);
        }
      }
    }
    brush.globalAlpha = 1;
  }

  /**
   * Paint the lines that may be in view.
   *
   * @param brush - A canvas that is empty, in pixels of the screen
   */
  paintLines(
    brush: Brush,
    look: ILook,
    marks: IMarks,
    colours: IColours
  ): void {
    const { zoom } = look;
    const touching: ILine[] = [];
    brush.strokeStyle = colours.line;
    brush.fillStyle = colours.line;
    for (const { lines, isFaint, isDimmed, isSame, dashes } of this._lines) {
      // hundreds of long lines that lie side by side must not become one thick one
      const thinnest = isFaint ? 0 : THINNEST;
      // up to one dot, browsers draw lines many times as fast
      brush.lineWidth = isSame
        ? Math.max(thinnest, 2 * zoom)
        : Math.min(1, Math.max(thinnest, 1.3 * zoom));
      brush.lineCap = isSame ? 'round' : 'butt';
      brush.globalAlpha =
        (isFaint ? 0.28 : 0.55) * (isDimmed ? DIMMED.edge : 1);
      const isSolid = !dashes || dashes[1] * zoom < 2 * SMALLEST;
      brush.setLineDash(isSolid ? [] : dashes.map(length => length * zoom));
      brush.beginPath();
      for (const line of lines) {
        const { source, target } = line.edge;
        if (source === marks.selected || target === marks.selected) {
          touching.push(line);
        } else {
          trace(brush, line.curve, look);
        }
      }
      brush.stroke();
      if (zoom >= SHAPES) {
        brush.globalAlpha = isDimmed ? DIMMED.edge : 1;
        paintHeads(brush, lines, look);
      }
    }
    brush.globalAlpha = 1;
    brush.setLineDash([]);
    brush.lineCap = 'butt';
    brush.lineWidth = Math.max(1.5, 2 * zoom);
    brush.strokeStyle = colours.brand;
    brush.beginPath();
    for (const { curve } of touching) {
      trace(brush, curve, look);
    }
    brush.stroke();
  }

  private _nodes: { shown: IShownNode; colour: number | null }[];
  private _places = new Map<string, IShownNode>();
  private _lines: ILines[];
}

function keyOf(layer: number, row: number): string {
  return `${layer},${row}`;
}

/**
 * Add a line to the path, if some of it may be in view.
 */
function trace(brush: Brush, { start, end, middle }: ICurve, look: ILook) {
  const x1 = start.x * look.zoom + look.x;
  const y1 = start.y * look.zoom + look.y;
  const x2 = end.x * look.zoom + look.x;
  const y2 = end.y * look.zoom + look.y;
  if (
    Math.min(x1, x2) > look.width ||
    Math.max(x1, x2) < 0 ||
    Math.min(y1, y2) > look.height ||
    Math.max(y1, y2) < 0
  ) {
    return;
  }
  brush.moveTo(x1, y1);
  if (y1 === y2) {
    brush.lineTo(x2, y2);
    return;
  }
  const x = middle * look.zoom + look.x;
  brush.bezierCurveTo(x, y1, x, y2, x2, y2);
}

/**
 * Paint the heads of arrows, of those lines that have one.
 */
function paintHeads(brush: Brush, lines: readonly ILine[], look: ILook): void {
  const { zoom } = look;
  brush.beginPath();
  for (const { edge, curve } of lines) {
    const x = curve.end.x * zoom + look.x;
    const y = curve.end.y * zoom + look.y;
    if (
      edge.kind !== 'same' &&
      x > 0 &&
      x < look.width + HEAD.length * zoom &&
      y > 0 &&
      y < look.height
    ) {
      brush.moveTo(x, y);
      brush.lineTo(x - HEAD.length * zoom, y - HEAD.half * zoom);
      brush.lineTo(x - HEAD.length * zoom, y + HEAD.half * zoom);
      brush.closePath();
    }
  }
  brush.fill();
}

function paintNode(
  brush: Brush,
  { kind, node }: IShownNode,
  box: { x: number; y: number; width: number; height: number },
  zoom: number,
  colours: IColours & { full: string; pale: string }
): void {
  const { x, y, width, height } = box;
  const hasFailed = kind === 'run' && node.status === 'failed';
  brush.fillStyle = colours.pale;
  if (zoom < SHAPES) {
    brush.fillRect(x, y, width, height);
    if (hasFailed) {
      brush.strokeStyle = colours.failed;
      brush.lineWidth = 1;
      brush.strokeRect(x, y, width, height);
    }
    return;
  }
  const stripe = (kind === 'file' ? 5 : 9) * zoom;
  brush.strokeStyle = hasFailed ? colours.failed : colours.border;
  brush.lineWidth = hasFailed ? 1 : zoom;
  brush.setLineDash(node.source ? [4 * zoom, 3 * zoom] : []);
  brush.beginPath();
  if (kind === 'file') {
    const corner = CORNER * zoom;
    brush.moveTo(x, y);
    brush.lineTo(x + width - corner, y);
    brush.lineTo(x + width, y + corner);
    brush.lineTo(x + width, y + height);
    brush.lineTo(x, y + height);
    brush.closePath();
  } else {
    if (kind === 'chain') {
      const behind = 5 * zoom;
      brush.roundRect(x + behind, y + behind, width, height, RADIUS * zoom);
    }
    brush.roundRect(x, y, width, height, RADIUS * zoom);
  }
  brush.fill();
  brush.stroke();
  brush.fillStyle = colours.full;
  brush.fillRect(x, y, stripe, height);
}

// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/** How a line is drawn. */
export interface ILineStyle {
  readonly color: string;
  readonly width?: number;
  readonly dash?: readonly number[];
  readonly opacity?: number;
}

/** How a text is drawn. */
export interface ITextStyle {
  readonly color: string;
  readonly size: number;
  readonly align?: 'left' | 'center' | 'right';
  readonly bold?: boolean;
  /** Whether it reads from below to above. */
  readonly upright?: boolean;
}

/** How an area is drawn. */
export interface IAreaStyle {
  readonly fill?: string;
  readonly stroke?: string;
  readonly width?: number;
  readonly opacity?: number;
}

/** What charts are drawn with: a canvas on the screen, SVG in a file. */
export interface IPainter {
  /** A line through points; `null` is a gap. */
  line(points: readonly (IPoint | null)[], style: ILineStyle): void;

  /** A rectangle. */
  rect(
    x: number,
    y: number,
    width: number,
    height: number,
    style: IAreaStyle
  ): void;

  /** A shape around a place, told as the data of an SVG path around 0, 0. */
  shape(x: number, y: number, path: string, style: IAreaStyle): void;

  /** A text, centred at `y` up and down. */
  text(x: number, y: number, text: string, style: ITextStyle): void;
}

/** A place, in px from the left upper corner. */
export type IPoint = readonly [number, number];

/** A picture: draws itself. */
export type Scene = (painter: IPainter) => void;

/**
 * Draws on a canvas.
 */
export class CanvasPainter implements IPainter {
  /**
   * Create a painter.
   *
   * @param _gc - The canvas
   * @param _family - The font's family
   */
  constructor(
    private readonly _gc: CanvasRenderingContext2D,
    private readonly _family: string
  ) {}

  line(points: readonly (IPoint | null)[], style: ILineStyle): void {
    const gc = this._gc;
    gc.globalAlpha = style.opacity ?? 1;
    gc.strokeStyle = style.color;
    gc.lineWidth = style.width ?? 1;
    gc.lineJoin = 'round';
    gc.setLineDash([...(style.dash ?? [])]);
    gc.beginPath();
    let isDown = false;
    for (const point of points) {
      if (point === null) {
        isDown = false;
      } else if (isDown) {
        gc.lineTo(point[0], point[1]);
      } else {
        gc.moveTo(point[0], point[1]);
        isDown = true;
      }
    }
    gc.stroke();
    gc.setLineDash([]);
    gc.globalAlpha = 1;
  }

  rect(
    x: number,
    y: number,
    width: number,
    height: number,
    style: IAreaStyle
  ): void {
    const gc = this._gc;
    gc.globalAlpha = style.opacity ?? 1;
    if (style.fill) {
      gc.fillStyle = style.fill;
      gc.fillRect(x, y, width, height);
    }
    if (style.stroke) {
      gc.strokeStyle = style.stroke;
      gc.lineWidth = style.width ?? 1;
      gc.strokeRect(x, y, width, height);
    }
    gc.globalAlpha = 1;
  }

  shape(x: number, y: number, path: string, style: IAreaStyle): void {
    const gc = this._gc;
    let shape = this._shapes.get(path);
    if (!shape) {
      shape = new Path2D(path);
      this._shapes.set(path, shape);
    }
    gc.globalAlpha = style.opacity ?? 1;
    gc.translate(x, y);
    if (style.fill) {
      gc.fillStyle = style.fill;
      gc.fill(shape);
    }
    if (style.stroke) {
      gc.strokeStyle = style.stroke;
      gc.lineWidth = style.width ?? 1;
      gc.stroke(shape);
    }
    gc.translate(-x, -y);
    gc.globalAlpha = 1;
  }

  text(x: number, y: number, text: string, style: ITextStyle): void {
    const gc = this._gc;
    gc.save();
    gc.font = `${style.bold ? '600 ' : ''}${style.size}px ${this._family}`;
    gc.fillStyle = style.color;
    gc.textAlign = style.align ?? 'left';
    gc.textBaseline = 'middle';
    gc.translate(x, y);
    if (style.upright) {
      gc.rotate(-Math.PI / 2);
    }
    gc.fillText(text, 0, 0);
    gc.restore();
  }

  private _shapes = new Map<string, Path2D>();
}

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Draws an SVG document; what runs are called is only ever text in it.
 */
export class SvgPainter implements IPainter {
  /**
   * Create a painter.
   *
   * @param width - Of the picture, in px
   * @param height - Of the picture, in px
   * @param family - The font's family
   */
  constructor(width: number, height: number, family: string) {
    this.node = document.createElementNS(SVG, 'svg');
    set(this.node, {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      'font-family': family
    });
  }

  /** The document's root. */
  readonly node: SVGSVGElement;

  line(points: readonly (IPoint | null)[], style: ILineStyle): void {
    let data = '';
    let isDown = false;
    for (const point of points) {
      if (point === null) {
        isDown = false;
        continue;
      }
      data += `${isDown ? 'L' : 'M'}${round(point[0])},${round(point[1])}`;
      isDown = true;
    }
    this._add('path', {
      d: data,
      fill: 'none',
      stroke: style.color,
      'stroke-width': style.width ?? 1,
      'stroke-dasharray': style.dash?.join(' '),
      'stroke-linejoin': 'round',
      opacity: style.opacity
    });
  }

  rect(
    x: number,
    y: number,
    width: number,
    height: number,
    style: IAreaStyle
  ): void {
    this._add('rect', {
      x: round(x),
      y: round(y),
      width: round(width),
      height: round(height),
      fill: style.fill ?? 'none',
      stroke: style.stroke,
      'stroke-width': style.stroke ? (style.width ?? 1) : undefined,
      opacity: style.opacity
    });
  }

  shape(x: number, y: number, path: string, style: IAreaStyle): void {
    this._add('path', {
      d: path,
      transform: `translate(${round(x)},${round(y)})`,
      fill: style.fill ?? 'none',
      stroke: style.stroke,
      'stroke-width': style.stroke ? (style.width ?? 1) : undefined,
      opacity: style.opacity
    });
  }

  text(x: number, y: number, text: string, style: ITextStyle): void {
    const turn = style.upright ? ' rotate(-90)' : '';
    const node = this._add('text', {
      transform: `translate(${round(x)},${round(y)})${turn}`,
      fill: style.color,
      'font-size': style.size,
      'font-weight': style.bold ? 600 : undefined,
      'text-anchor':
        style.align === 'right'
          ? 'end'
          : style.align === 'center'
            ? 'middle'
            : 'start',
      'dominant-baseline': 'central'
    });
    node.textContent = text;
  }

  private _add(
    name: string,
    attributes: Record<string, string | number | undefined>
  ): SVGElement {
    const node = document.createElementNS(SVG, name);
    set(node, attributes);
    this.node.appendChild(node);
    return node;
  }
}

function set(
  node: Element,
  attributes: Record<string, string | number | undefined>
): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) {
      node.setAttribute(name, String(value));
    }
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

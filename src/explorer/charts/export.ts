// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ITheme } from '../theme';
import { CanvasPainter, SvgPainter, type Scene } from './painter';

/** How many times finer than the screen's the pixels of a PNG are. */
const FINE = 2;

/** A picture of a size. */
export interface IPicture {
  readonly scene: Scene;
  readonly width: number;
  readonly height: number;
}

/**
 * A picture as a PNG file; null where the browser has no canvas.
 */
export function toPng(picture: IPicture, theme: ITheme): Promise<Blob | null> {
  const { scene, width, height } = picture;
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * FINE);
  canvas.height = Math.round(height * FINE);
  const gc = canvas.getContext('2d');
  if (!gc) {
    return Promise.resolve(null);
  }
  gc.scale(FINE, FINE);
  const painter = new CanvasPainter(gc, theme.family);
  painter.rect(0, 0, width, height, { fill: theme.background });
  scene(painter);
  return new Promise(resolve => canvas.toBlob(resolve, 'image/png'));
}

/**
 * A picture as an SVG file.
 *
 * @param title - What it shows, for readers
 */
export function toSvg(picture: IPicture, theme: ITheme, title: string): Blob {
  const { scene, width, height } = picture;
  const painter = new SvgPainter(width, height, theme.family);
  const name = document.createElementNS(painter.node.namespaceURI, 'title');
  name.textContent = title;
  painter.node.appendChild(name);
  painter.rect(0, 0, width, height, { fill: theme.background });
  scene(painter);
  const source = new XMLSerializer().serializeToString(painter.node);
  return new Blob([source], { type: 'image/svg+xml' });
}

/**
 * Have the browser save something as a file.
 */
export function saveFile(content: Blob, name: string): void {
  const link = document.createElement('a');
  const url = URL.createObjectURL(content);
  link.href = url;
  link.download = name;
  link.click();
  // The browser needs the address until it has begun to save.
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/**
 * A name for a file, of what people called something.
 */
export function fileName(title: string, extension: string): string {
  const name = title
    .replace(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 80);
  return `${name || 'chart'}.${extension}`;
}

// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * Makes histories for tests: notebooks with outputs, images, commits.
 */

import type { Page } from '@playwright/test';
import * as fs from 'fs';
import * as path from 'path';
import * as zlib from 'zlib';

import { FILES } from './helpers';

/** A cell of a notebook to be written. */
export interface ICell {
  source: string;
  type?: 'code' | 'markdown';
  outputs?: object[];
}

/**
 * Ask the server's API, as the page's own user.
 */
export async function callApi(
  page: Page,
  method: string,
  endpoint: string,
  query: Record<string, string> = {},
  body?: unknown
): Promise<any> {
  return page.evaluate(
    async ([how, where, parameters, content]) => {
      const app = (window as any).jupyterapp;
      const { baseUrl, token } = app.serviceManager.serverSettings;
      const search = new URLSearchParams(parameters as any);
      const cookie = document.cookie.match(/\b_xsrf=([^;]*)\b/);
      const response = await fetch(`${baseUrl}dotscience/${where}?${search}`, {
        method: how as string,
        headers: {
          Authorization: `token ${token}`,
          'Content-Type': 'application/json',
          'X-XSRFToken': cookie ? cookie[1] : ''
        },
        body: content === undefined ? undefined : JSON.stringify(content)
      });
      const answer = await response.json();
      if (!response.ok) {
        throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
      }
      return answer;
    },
    [method, endpoint, query, body] as const
  );
}

/**
 * A notebook of cells.
 */
export function notebook(cells: ICell[]): object {
  return {
    cells: cells.map(({ source, type = 'code', outputs = [] }, index) => ({
      cell_type: type,
      id: `cell-${index}`,
      metadata: {},
      source,
      ...(type === 'code'
        ? { execution_count: outputs.length > 0 ? index : null, outputs }
        : {})
    })),
    metadata: {
      kernelspec: {
        display_name: 'Python 3 (ipykernel)',
        language: 'python',
        name: 'python3'
      },
      language_info: { name: 'python' }
    },
    nbformat: 4,
    nbformat_minor: 5
  };
}

/**
 * Write a notebook into a folder of the server's.
 */
export function writeCells(folder: string, name: string, cells: ICell[]): void {
  fs.writeFileSync(
    path.join(FILES, folder, name),
    JSON.stringify(notebook(cells), null, 1)
  );
}

/**
 * An image as PNG: of one colour, or with noise, which makes it large.
 */
export function image(
  width: number,
  height: number,
  colour: [number, number, number],
  noise = false
): Buffer {
  const rows = Buffer.alloc(height * (1 + width * 3));
  let chance = 1;
  for (let y = 0; y < height; y++) {
    const start = y * (1 + width * 3) + 1;
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        chance = (chance * 16807) % 2147483647;
        rows[start + x * 3 + c] = colour[c] + (noise ? chance % 32 : 0);
      }
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    chunk('IDAT', zlib.deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0))
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'ascii'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length, 0);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body), 0);
  return Buffer.concat([length, body, sum]);
}

function crc32(data: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}

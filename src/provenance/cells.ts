// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { readRecord } from '../rendermime/record';
import { hideRunText } from '../rendermime/runtext';
import { STDOUT_MIME_TYPE } from '../rendermime/stdout';
import { RUN_MIME_TYPE } from '../tokens';

/**
 * A run that a cell published.
 */
export interface ICellRun {
  id: string;

  /** What it is about; empty when not told. */
  description: string;

  /** Whether it failed. */
  failed: boolean;

  /** Its first metric. */
  metric: { name: string; text: string } | null;
}

/**
 * The outputs of a cell, as far as they are looked at.
 */
export interface IOutputs {
  readonly length: number;
  get(index: number): { readonly type: string; readonly data: object };
}

/**
 * The runs that a cell's outputs tell of, in the order in which they were published.
 *
 * @param outputs - The outputs; anybody may have written them
 */
export function runsOf(outputs: IOutputs): ICellRun[] {
  const runs = new Map<string, ICellRun>();
  for (let index = 0; index < outputs.length; index++) {
    const output = outputs.get(index);
    if (output.type === 'error') {
      continue;
    }
    const data = output.data as Record<string, unknown>;
    const card = toRun(data[RUN_MIME_TYPE]);
    if (card) {
      // it knows the types of values, which the text does not
      runs.set(card.id, card);
    }
    const text = data[STDOUT_MIME_TYPE];
    if (typeof text === 'string') {
      for (const run of runsInText(text)) {
        if (!runs.has(run.id)) {
          runs.set(run.id, run);
        }
      }
    }
  }
  return [...runs.values()];
}

const WHOLE =
  /^\[\[DOTSCIENCE-RUN:([^\]\n]+)\]\]([^]*)\[\[\/DOTSCIENCE-RUN:\1\]\]$/;

function runsInText(text: string): ICellRun[] {
  return hideRunText(text).hidden.flatMap(found => {
    const [, id, json] = WHOLE.exec(found.trim()) ?? [];
    if (id === undefined) {
      return [];
    }
    try {
      return toRun({ id, run: JSON.parse(json) }) ?? [];
    } catch {
      // cut off, or written by a program that only looks like one of ours
      return [];
    }
  });
}

function toRun(data: unknown): ICellRun | null {
  const record = data === undefined ? null : readRecord(data);
  return (
    record && {
      id: record.id,
      description: record.description,
      failed: record.error !== null,
      metric: record.metrics[0] ?? null
    }
  );
}

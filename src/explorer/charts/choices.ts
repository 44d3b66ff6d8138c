// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

import type { Column } from '../../api/schema';
import { columnTitle, kindTitle } from '../cells';
import type { ExplorerModel } from '../model';

/** Fields that say nothing on an axis. */
const MUTE = new Set(['id', 'commit', 'description', 'error']);

const ORDER: Column['kind'][] = ['metric', 'parameter', 'field', 'label'];

/** A column that can be chosen. */
export interface IChoice {
  readonly key: string;
  readonly title: string;
  readonly group: string;
}

/**
 * The columns that axes and colours can stand for.
 */
export function choices(
  model: ExplorerModel,
  trans: TranslationBundle,
  kinds: readonly Column['kind'][] = ORDER
): IChoice[] {
  return kinds.flatMap(kind =>
    model.columns
      .filter(each => each.kind === kind && !MUTE.has(each.key))
      .map(each => ({
        key: each.key,
        title: columnTitle(each, each.key, trans),
        group: kindTitle(kind, trans)
      }))
  );
}

/** Whether the values of a column are numbers. */
export function isNumber(model: ExplorerModel, key: string): boolean {
  return model.column(key)?.type === 'number';
}

// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

import { PathExt } from '@jupyterlab/coreutils';

import type { GraphNode } from '../api/schema';
import { runTitle, shortId } from '../run/format';
import type { IShownEdge, IShownNode } from './arrange';

/**
 * The notebook or script of a run.
 */
export function programOf(node: GraphNode): string | null {
  return node.kind === 'run' ? (node.workload_file ?? null) : null;
}

/**
 * The path of a file: of a dataset's file that within the dataset.
 */
export function pathOf(node: GraphNode): string {
  const path = node.path ?? node.label;
  return node.dataset === null ? path : path.slice(node.dataset.length + 2);
}

/**
 * The commit of a version of a file, for people: of a dataset's file one of the dataset.
 */
export function versionOf(node: GraphNode, trans: TranslationBundle): string {
  const commit =
    node.dataset === null ? node.commit : /@([0-9a-f]+)$/.exec(node.id)?.[1];
  return commit ? shortId(commit) : trans.__('not in any commit');
}

/**
 * What to call a run or a file.
 */
export function nodeTitle(node: GraphNode, trans: TranslationBundle): string {
  return node.kind === 'run'
    ? runTitle({ id: node.run ?? '', description: node.label }, trans)
    : PathExt.basename(node.path ?? node.label);
}

/**
 * What to call what a node stands for.
 */
export function shownTitle(
  shown: IShownNode,
  trans: TranslationBundle
): string {
  return shown.kind === 'chain'
    ? trans._n('%1 run in a row', '%1 runs in a row', shown.runs, shown.runs)
    : nodeTitle(shown.node, trans);
}

/**
 * What tells nodes of the same title apart.
 */
export function nodeSubtitle(
  node: GraphNode,
  trans: TranslationBundle
): string {
  if (node.kind === 'run') {
    const id = shortId(node.run ?? '');
    return node.workload_file
      ? `${PathExt.basename(node.workload_file)} · ${id}`
      : id;
  }
  const version = versionOf(node, trans);
  if (node.dataset !== null) {
    return trans.__('dataset %1 · %2', node.dataset, version);
  }
  const folder = PathExt.dirname(node.path ?? '');
  return folder ? `${folder}/ · ${version}` : version;
}

/**
 * A node in one sentence, for screen readers.
 */
export function nodeSentence(
  shown: IShownNode,
  trans: TranslationBundle
): string {
  const { node, kind } = shown;
  const title = shownTitle(shown, trans);
  if (kind === 'chain') {
    return title;
  }
  const models = node.models.join(', ');
  if (kind === 'run') {
    const id = shortId(node.run ?? '');
    const program = node.workload_file ?? trans.__('no program');
    if (node.status === 'failed') {
      return trans.__('Failed run %1: %2, %3', id, title, program);
    }
    return models
      ? trans.__('Run %1: %2, %3, model %4', id, title, program, models)
      : trans.__('Run %1: %2, %3', id, title, program);
  }
  const path =
    node.dataset === null
      ? pathOf(node)
      : trans.__('%1 of dataset %2', pathOf(node), node.dataset);
  const version = versionOf(node, trans);
  if (node.source) {
    return trans.__('Raw data %1, version %2', path, version);
  }
  return models
    ? trans.__('File %1, version %2, model %3', path, version, models)
    : trans.__('File %1, version %2', path, version);
}

/**
 * An edge in one sentence, for screen readers.
 */
export function edgeSentence(
  edge: IShownEdge,
  source: string,
  target: string,
  trans: TranslationBundle
): string {
  switch (edge.kind) {
    case 'read':
      return edge.derived
        ? trans.__('%1 was read by %2, as was observed', source, target)
        : trans.__('%1 was read by %2', source, target);
    case 'wrote':
      return edge.derived
        ? trans.__('%1 wrote %2, as was observed', source, target)
        : trans.__('%1 wrote %2', source, target);
    default:
      return trans.__('%1 and %2 have the same content', source, target);
  }
}

/** What stands before ids of nodes of another workspace: its own id. */
const ANOTHER = /^[\w-]+\|/;

/**
 * Whether a start is a node of another workspace.
 */
export function isOfAnother(start: string): boolean {
  return ANOTHER.test(start);
}

/**
 * What the whole tab is called.
 */
export function startTitle(start: string, trans: TranslationBundle): string {
  const [, kind, rest] = /^(\w+):(.*)$/s.exec(start.replace(ANOTHER, '')) ?? [];
  switch (kind) {
    case 'run':
      return trans.__('Provenance of run %1', shortId(rest));
    case 'file':
      return trans.__('Provenance of %1', PathExt.basename(filePath(rest)));
    case 'model':
      return trans.__('Provenance of model %1', rest);
    case 'digest':
      return trans.__('Provenance of content %1', shortId(rest));
    default:
      return trans.__('Provenance');
  }
}

/**
 * The path in `PATH@COMMIT`; a path may hold an `@` itself, a commit is of hexadecimal digits.
 */
export function filePath(version: string): string {
  return version.replace(/@[0-9a-f]*$/, '');
}

/**
 * Whether a node is what somebody searches for: all words occur in what it is called.
 */
export function matches(node: GraphNode, words: readonly string[]): boolean {
  const text = [
    node.label,
    node.path,
    node.run,
    node.workload_file,
    node.author,
    node.commit,
    node.digest,
    ...node.models
  ]
    .filter(part => part)
    .join('\n')
    .toLowerCase();
  return words.every(word => text.includes(word));
}

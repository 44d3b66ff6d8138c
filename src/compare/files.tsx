// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ApiError } from '../api/client';
import type { Diff, FileDifference, RunDetail, RunFile } from '../api/schema';
import {
  DataTable,
  Empty,
  Failure,
  LinkButton,
  Section,
  TextButton,
  Waiting
} from '../run/components';
import { NOTHING, formatBytes, shortId } from '../run/format';
import type { IComparedFile } from './compare';

/**
 * Inputs or outputs that the two runs declared.
 */
export function ComparedFiles(props: {
  title: string;
  direction: 'input' | 'output';
  rows: IComparedFile[];
  a: RunDetail;
  b: RunDetail;
  actions: { openFile(commit: string, path: string): void };
  onlyDifferences: boolean;
  trans: TranslationBundle;
}): JSX.Element {
  const { title, direction, rows, a, b, actions, onlyDifferences, trans } =
    props;
  const shown = onlyDifferences ? rows.filter(row => !row.same) : rows;
  const cell = (file: RunFile | undefined, run: RunDetail): React.ReactNode => {
    if (!file) {
      return NOTHING;
    }
    const commit =
      direction === 'input' ? (file.version ?? run.commit) : run.commit;
    return (
      <LinkButton
        title={trans.__(
          'Open %1 as it was, read-only (commit %2, digest %3)',
          file.path,
          shortId(commit),
          file.digest ?? NOTHING
        )}
        onClick={() => actions.openFile(commit, file.path)}
      >
        {trans.__('%1, %2', formatBytes(file.size), shortId(commit))}
      </LinkButton>
    );
  };
  return (
    <Section title={title} count={rows.filter(row => !row.same).length}>
      {shown.length === 0 ? (
        <Empty>
          {rows.length === 0
            ? trans.__('Neither run has any.')
            : trans.__('No differences.')}
        </Empty>
      ) : (
        <DataTable
          caption={title}
          rows={shown}
          rowKey={row => row.path}
          rowClass={row => (row.same ? undefined : 'jp-mod-different')}
          trans={trans}
          columns={[
            {
              id: 'path',
              label: trans.__('Path'),
              render: row => row.path,
              sortBy: row => row.path
            },
            {
              id: 'a',
              label: trans.__('A'),
              render: row => cell(row.a, a)
            },
            {
              id: 'b',
              label: trans.__('B'),
              render: row => cell(row.b, b)
            },
            {
              id: 'content',
              label: trans.__('Content'),
              render: row => contentText(row, trans)
            }
          ]}
        />
      )}
    </Section>
  );
}

function contentText(row: IComparedFile, trans: TranslationBundle): string {
  if (!row.a) {
    return trans.__('only in B');
  }
  if (!row.b) {
    return trans.__('only in A');
  }
  if (row.same === null) {
    return trans.__('not known');
  }
  return row.same ? trans.__('same') : trans.__('different');
}

/**
 * How all files of the two commits differ.
 */
export function DiffFiles(props: {
  diff: Diff | null;
  error: ApiError | null;
  openFile: (commit: string, path: string) => void;
  openDifference: (old: string, newer: string, file: string) => void;
  retry: () => void;
  more: () => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { diff, error, openFile, openDifference, retry, more, trans } = props;
  const title = trans.__('Files of the two commits');
  if (!diff) {
    return (
      <Section title={title}>
        {error ? (
          <Failure
            message={trans.__('The files could not be compared.')}
            details={error.message}
            trans={trans}
            onRetry={retry}
          />
        ) : (
          <Waiting>{trans.__('Comparing files…')}</Waiting>
        )}
      </Section>
    );
  }
  if (diff.old === diff.new) {
    return (
      <Section title={title} count={0}>
        <Empty>
          {trans.__('Both runs belong to commit %1.', shortId(diff.old))}
        </Empty>
      </Section>
    );
  }
  const all = diff.items.length >= diff.total;
  return (
    <Section title={title} count={diff.total}>
      {diff.total === 0 ? (
        <Empty>{trans.__('No file differs.')}</Empty>
      ) : (
        <>
          <p>
            {summary(diff.items, trans)}
            {!all && ` ${trans.__('(of the first %1)', diff.items.length)}`}
          </p>
          <DataTable
            caption={title}
            rows={diff.items}
            rowKey={row => row.path}
            trans={trans}
            columns={[
              {
                id: 'path',
                label: trans.__('Path'),
                render: row =>
                  row.kind === 'folder' ? (
                    pathText(row, trans)
                  ) : (
                    <LinkButton
                      title={trans.__('Show how %1 differs', row.path)}
                      onClick={() =>
                        openDifference(diff.old, diff.new, row.path)
                      }
                    >
                      {pathText(row, trans)}
                    </LinkButton>
                  ),
                sortBy: row => row.path
              },
              {
                id: 'change',
                label: trans.__('Change'),
                render: row => changeText(row.change, trans),
                sortBy: row => row.change
              },
              {
                id: 'a',
                label: trans.__('A'),
                numeric: true,
                render: row =>
                  version(
                    row,
                    row.old_path ?? row.path,
                    diff.old,
                    row.old_size,
                    openFile,
                    trans
                  ),
                sortBy: row => row.old_size
              },
              {
                id: 'b',
                label: trans.__('B'),
                numeric: true,
                render: row =>
                  version(
                    row,
                    row.path,
                    diff.new,
                    row.new_size,
                    openFile,
                    trans
                  ),
                sortBy: row => row.new_size
              }
            ]}
          />
          {!all && (
            <TextButton onClick={more}>{trans.__('Show more')}</TextButton>
          )}
          {error && (
            <Failure
              message={trans.__('More files could not be read.')}
              details={error.message}
              trans={trans}
            />
          )}
        </>
      )}
    </Section>
  );
}

function pathText(row: FileDifference, trans: TranslationBundle): string {
  return row.old_path ? trans.__('%1 → %2', row.old_path, row.path) : row.path;
}

function version(
  row: FileDifference,
  path: string,
  commit: string,
  size: number | null,
  openFile: (commit: string, path: string) => void,
  trans: TranslationBundle
): React.ReactNode {
  if (size === null) {
    return NOTHING;
  }
  if (row.kind === 'folder') {
    return trans.__('folder');
  }
  return (
    <LinkButton
      title={trans.__(
        'Open %1 as it was, read-only (commit %2)',
        path,
        shortId(commit)
      )}
      onClick={() => openFile(commit, path)}
    >
      {formatBytes(size)}
    </LinkButton>
  );
}

function summary(items: FileDifference[], trans: TranslationBundle): string {
  const count = (change: FileDifference['change']): number =>
    items.filter(item => item.change === change).length;
  const added = count('added');
  const modified = count('modified');
  const removed = count('removed');
  const renamed = count('renamed');
  const bytes = items.reduce(
    (sum, item) => sum + (item.new_size ?? 0) - (item.old_size ?? 0),
    0
  );
  return trans.__(
    '%1 added, %2 modified, %3 removed, %4 renamed; B is %5 %6 than A.',
    added,
    modified,
    removed,
    renamed,
    formatBytes(Math.abs(bytes)),
    bytes < 0 ? trans.__('smaller') : trans.__('larger')
  );
}

function changeText(
  change: FileDifference['change'],
  trans: TranslationBundle
): string {
  switch (change) {
    case 'added':
      return trans.__('added');
    case 'modified':
      return trans.__('modified');
    case 'removed':
      return trans.__('removed');
    case 'renamed':
      return trans.__('renamed');
  }
}

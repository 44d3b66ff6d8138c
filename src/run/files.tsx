// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunFile } from '../api/schema';
import type { IColumn } from './components';
import { DataTable, Empty, LinkButton, Section } from './components';
import { NOTHING, formatBytes, shortId } from './format';

/**
 * Files that a run read or wrote, with the versions they had.
 */
export function Files(props: {
  title: string;
  none: string;
  files: RunFile[];
  commit: string;
  direction: 'input' | 'output';
  openFile: (commit: string, path: string) => void;
  openRun: (run: string) => void;
  openProvenance: (start: string, direction: 'up' | 'down') => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { title, files, commit, direction, openFile, openRun, trans } = props;
  // what was read is found in the commit that last wrote it, what was written in the run's own
  const commitOf = (file: RunFile): string =>
    direction === 'input' ? (file.version ?? commit) : commit;
  // an input that no commit had written has no version
  const versionOf = (file: RunFile): string =>
    direction === 'input' ? (file.version ?? '') : commit;
  const columns: IColumn<RunFile>[] = [
    {
      id: 'path',
      label: trans.__('Path'),
      render: file => (
        <>
          <LinkButton
            title={trans.__(
              'Open %1 as it was, read-only (commit %2)',
              file.path,
              shortId(commitOf(file))
            )}
            onClick={() => openFile(commitOf(file), file.path)}
          >
            {file.path}
          </LinkButton>
          <Derived file={file} trans={trans} />
        </>
      ),
      sortBy: file => file.path
    },
    {
      id: 'version',
      label: trans.__('Version'),
      render: file => (
        <Id id={file.version ?? (direction === 'output' ? commit : null)} />
      )
    }
  ];
  if (direction === 'input') {
    columns.push(madeByColumn(openRun, trans));
  }
  columns.push(
    ...contentColumns(trans),
    provenanceColumn(
      direction,
      file => `file:${file.path}@${versionOf(file)}`,
      props.openProvenance,
      trans
    )
  );

  return (
    <Section title={title} count={files.length}>
      {files.length === 0 ? (
        <Empty>{props.none}</Empty>
      ) : (
        <DataTable
          caption={title}
          rows={files}
          rowKey={file => file.path}
          columns={columns}
          trans={trans}
        />
      )}
    </Section>
  );
}

/** The run that wrote a file that was read. */
export function madeByColumn(
  openRun: (run: string) => void,
  trans: TranslationBundle
): IColumn<RunFile> {
  return {
    id: 'made-by',
    label: trans.__('Made by'),
    render: file => {
      const maker = file.made_by;
      if (maker && typeof file.made_in === 'string') {
        return (
          <span
            title={trans.__(
              'Run %1 of the workspace with the id %2. Open that workspace to see the run: nothing more of it is recorded in this one.',
              maker,
              file.made_in || trans.__('(not recorded)')
            )}
          >
            {trans.__('Run %1, in another workspace', shortId(maker))}
          </span>
        );
      }
      return maker ? (
        <LinkButton
          title={trans.__('Open the run that wrote this version: %1', maker)}
          onClick={() => openRun(maker)}
        >
          {trans.__('Run %1', shortId(maker))}
        </LinkButton>
      ) : (
        NOTHING
      );
    },
    sortBy: file => file.made_by
  };
}

/** How large a file was, and what tells its content from others. */
export function contentColumns(trans: TranslationBundle): IColumn<RunFile>[] {
  return [
    {
      id: 'size',
      label: trans.__('Size'),
      numeric: true,
      render: file => (
        <span
          title={
            file.size === null ? undefined : trans.__('%1 bytes', file.size)
          }
        >
          {formatBytes(file.size)}
        </span>
      ),
      sortBy: file => file.size
    },
    {
      id: 'digest',
      label: trans.__('Digest'),
      render: file => <Id id={file.digest} />
    }
  ];
}

/** Leads to where what was read came from, and to what came of what was written. */
export function provenanceColumn(
  direction: 'input' | 'output',
  start: (file: RunFile) => string,
  openProvenance: (start: string, direction: 'up' | 'down') => void,
  trans: TranslationBundle
): IColumn<RunFile> {
  const isInput = direction === 'input';
  return {
    id: 'provenance',
    label: trans.__('Provenance'),
    render: file => (
      <LinkButton
        title={
          isInput
            ? trans.__('Show what %1 was made from', file.path)
            : trans.__('Show what came of %1', file.path)
        }
        onClick={() => openProvenance(start(file), isInput ? 'up' : 'down')}
      >
        {isInput ? trans.__('Made from…') : trans.__('Came of it…')}
      </LinkButton>
    )
  };
}

/** Says of a file that the code did not declare it. */
export function Derived(props: {
  file: RunFile;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { file, trans } = props;
  return file.authority === 'derived' ? (
    <span
      className="jp-DotscienceFiles-derived"
      title={trans.__(
        'The code declared no such file. It was opened, or it changed, while the run was under way.'
      )}
    >
      {trans.__('found, not declared')}
    </span>
  ) : null;
}

/**
 * The short form of an id; the whole is its tooltip.
 */
export function Id(props: { id: string | null }): JSX.Element {
  return props.id ? (
    <code className="jp-DotscienceId" title={props.id}>
      {shortId(props.id)}
    </code>
  ) : (
    <>{NOTHING}</>
  );
}

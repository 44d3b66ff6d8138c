// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunDataset, RunFile } from '../api/schema';
import { DataTable, Empty, Section, type IColumn } from './components';
import {
  Derived,
  Id,
  contentColumns,
  madeByColumn,
  provenanceColumn
} from './files';
import { shortId } from './format';

/**
 * The datasets that a run read and wrote, in the versions that it saw or made; nothing where there
 * are none.
 */
export function Datasets(props: {
  datasets: RunDataset[];
  openRun: (run: string) => void;
  openProvenance: (start: string, direction: 'up' | 'down') => void;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { datasets, trans } = props;
  if (datasets.length === 0) {
    return null;
  }
  return (
    <Section title={trans.__('Datasets')} count={datasets.length}>
      {datasets.map(dataset => (
        <Dataset
          key={`${dataset.direction} ${dataset.name}`}
          dataset={dataset}
          openRun={props.openRun}
          openProvenance={props.openProvenance}
          trans={trans}
        />
      ))}
    </Section>
  );
}

function Dataset(props: {
  dataset: RunDataset;
  openRun: (run: string) => void;
  openProvenance: (start: string, direction: 'up' | 'down') => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { dataset, openRun, openProvenance, trans } = props;
  const { direction, files, name, path, version } = dataset;
  const id = React.useId();
  const columns: IColumn<RunFile>[] = [
    {
      id: 'path',
      label: trans.__('Path'),
      render: file => (
        <>
          {file.path}
          <Derived file={file} trans={trans} />
        </>
      ),
      sortBy: file => file.path
    },
    {
      id: 'version',
      label: trans.__('Version'),
      render: file => <Id id={file.version ?? version} />
    },
    ...(direction === 'input' ? [madeByColumn(openRun, trans)] : []),
    ...contentColumns(trans),
    provenanceColumn(
      direction,
      file => `file:${name}//${file.path}@${file.version ?? version ?? ''}`,
      openProvenance,
      trans
    )
  ];
  return (
    <div className="jp-DotscienceDataset" role="group" aria-labelledby={id}>
      <h3 id={id}>
        {direction === 'input'
          ? trans.__('%1, read', name)
          : trans.__('%1, written', name)}
      </h3>
      <p className="jp-DotscienceEmpty">
        {version === null
          ? trans.__('The version is not known.')
          : trans.__('Version %1 of the dataset.', shortId(version))}{' '}
        {path === null
          ? trans.__('It is not attached to this workspace now.')
          : trans.__('It is attached at %1 now.', path)}
      </p>
      {files.length === 0 ? (
        <Empty>{trans.__('No files of it are recorded.')}</Empty>
      ) : (
        <DataTable
          caption={trans.__('Files of %1', name)}
          rows={files}
          rowKey={file => file.path}
          columns={columns}
          trans={trans}
        />
      )}
    </div>
  );
}

// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunDetail } from '../api/schema';
import { DataTable, Empty, Facts, Section } from './components';
import type { Scalar, ValueKind } from './format';
import { formatValue, valueKind } from './format';

/**
 * How the labels of models begin (section 2.6 of the original's format).
 */
const MODEL_LABEL = 'artefact:';

interface IRow {
  name: string;
  value: Scalar;
}

/**
 * Parameters, with their types.
 */
export function Parameters(props: {
  parameters: RunDetail['parameters'];
  trans: TranslationBundle;
}): JSX.Element {
  const { parameters, trans } = props;
  const rows = toRows(parameters);
  return (
    <Section title={trans.__('Parameters')} count={rows.length}>
      {rows.length === 0 ? (
        <Empty>{trans.__('The run declared no parameters.')}</Empty>
      ) : (
        <DataTable
          caption={trans.__('Parameters')}
          rows={rows}
          rowKey={row => row.name}
          trans={trans}
          columns={[
            nameColumn(trans),
            valueColumn(trans),
            {
              id: 'type',
              label: trans.__('Type'),
              render: row => kindLabel(valueKind(row.value), trans),
              sortBy: row => valueKind(row.value)
            }
          ]}
        />
      )}
    </Section>
  );
}

/**
 * Labels other than those that mark models.
 */
export function Labels(props: {
  labels: RunDetail['labels'];
  trans: TranslationBundle;
}): JSX.Element | null {
  const { labels, trans } = props;
  const rows = toRows(labels).filter(row => !row.name.startsWith(MODEL_LABEL));
  if (rows.length === 0) {
    return null;
  }
  return (
    <Section title={trans.__('Labels')} count={rows.length}>
      <DataTable
        caption={trans.__('Labels')}
        rows={rows}
        rowKey={row => row.name}
        trans={trans}
        columns={[nameColumn(trans), valueColumn(trans)]}
      />
    </Section>
  );
}

/**
 * A model that a run registered.
 */
export interface IModelInfo {
  /**
   * Its name.
   */
  name: string;

  /**
   * The kind, such as `sklearn-model`; empty when not told.
   */
  type: string;

  /**
   * The version of the library it was made with; empty when not told.
   */
  version: string;

  /**
   * Its files by role.
   */
  files: { role: string; path: string }[];
}

/**
 * Read the models of a run from its labels.
 */
export function readModels(
  run: Pick<RunDetail, 'models' | 'labels'>
): IModelInfo[] {
  return run.models.map(name => {
    const model: IModelInfo = { name, type: '', version: '', files: [] };
    try {
      const label: unknown = JSON.parse(run.labels[MODEL_LABEL + name] ?? '{}');
      if (typeof label === 'object' && label !== null) {
        const { type, version, files } = label as Record<string, unknown>;
        model.type = typeof type === 'string' ? type : '';
        model.version = typeof version === 'string' ? version : '';
        model.files = Object.entries(files ?? {})
          .filter(([, path]) => typeof path === 'string')
          .map(([role, path]) => ({ role, path: path as string }));
      }
    } catch {
      // The label was written by hand: its name is all there is to show.
    }
    return model;
  });
}

/**
 * The models that the run registered.
 */
export function Models(props: {
  run: RunDetail;
  fileLink: (path: string) => React.ReactNode;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { run, fileLink, trans } = props;
  const models = readModels(run);
  if (models.length === 0) {
    return null;
  }
  return (
    <Section title={trans.__('Models')} count={models.length}>
      <DataTable
        caption={trans.__('Models')}
        rows={models}
        rowKey={row => row.name}
        trans={trans}
        columns={[
          nameColumn(trans),
          {
            id: 'type',
            label: trans.__('Type'),
            render: row => row.type || formatValue(undefined)
          },
          {
            id: 'version',
            label: trans.__('Library version'),
            render: row => row.version || formatValue(undefined)
          },
          {
            id: 'files',
            label: trans.__('Files'),
            render: row =>
              row.files.map(file => (
                <div key={file.role} title={file.role}>
                  {fileLink(file.path)}
                </div>
              ))
          }
        ]}
      />
    </Section>
  );
}

/**
 * A few named values, where there are any.
 */
export function ValueFacts(props: {
  title: string;
  values: Record<string, Scalar>;
  show?: (name: string, value: Scalar) => string;
}): JSX.Element | null {
  const { title, values, show } = props;
  const names = Object.keys(values).sort();
  if (names.length === 0) {
    return null;
  }
  return (
    <Section title={title}>
      <Facts
        facts={names.map(name => ({
          label: name,
          value: show
            ? show(name, values[name])
            : formatValue(values[name], true)
        }))}
      />
    </Section>
  );
}

/**
 * What to call a kind of value.
 */
export function kindLabel(kind: ValueKind, trans: TranslationBundle): string {
  switch (kind) {
    case 'boolean':
      return trans.__('true or false');
    case 'number':
      return trans.__('number');
    case 'none':
      return trans.__('none');
    case 'text':
      return trans.__('text');
  }
}

function toRows(values: Record<string, Scalar>): IRow[] {
  return Object.keys(values)
    .sort((a, b) => a.localeCompare(b, undefined, { numeric: true }))
    .map(name => ({ name, value: values[name] }));
}

function nameColumn<T extends { name: string }>(
  trans: TranslationBundle
): {
  id: string;
  label: string;
  render: (row: T) => React.ReactNode;
  sortBy: (row: T) => Scalar;
} {
  return {
    id: 'name',
    label: trans.__('Name'),
    render: row => row.name,
    sortBy: row => row.name
  };
}

function valueColumn(trans: TranslationBundle): {
  id: string;
  label: string;
  render: (row: IRow) => React.ReactNode;
  sortBy: (row: IRow) => Scalar;
} {
  return {
    id: 'value',
    label: trans.__('Value'),
    render: row => (
      <span className="jp-DotscienceValue">{formatValue(row.value, true)}</span>
    ),
    sortBy: row => row.value
  };
}

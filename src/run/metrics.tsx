// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunDetail, SeriesPoints } from '../api/schema';
import { MetricChart } from './chart';
import {
  DataTable,
  Empty,
  Failure,
  Section,
  Waiting,
  useAsked,
  useSeen
} from './components';
import type { Scalar } from './format';
import { NOTHING, formatValue } from './format';

/**
 * Metrics: final values as a table, those with more points as charts.
 */
export function Metrics(props: {
  run: RunDetail;
  series: (name: string) => Promise<SeriesPoints>;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { run, series, themeManager, trans } = props;
  return (
    <MetricsSection
      values={run.metrics}
      counts={new Map(run.series.map(({ name, count }) => [name, count]))}
      valueLabel={trans.__('Value')}
      empty={trans.__('The run published no metrics.')}
      trans={trans}
    >
      {run.series.length > 0 && (
        <div className="jp-DotscienceCharts">
          {run.series.map(info => (
            <LazyChart
              key={info.name}
              name={info.name}
              curves={[{ label: info.name, ask: () => series(info.name) }]}
              themeManager={themeManager}
              trans={trans}
            />
          ))}
        </div>
      )}
    </MetricsSection>
  );
}

/**
 * A table of metrics by name, above what else there is to show of them.
 */
export function MetricsSection(props: {
  /** The metrics' values by name. */
  values: Record<string, Scalar>;
  /** How many points there are, by name; a metric may have points only. */
  counts: Map<string, number>;
  valueLabel: string;
  /** What is shown where there is no metric. */
  empty: string;
  trans: TranslationBundle;
  children: React.ReactNode;
}): JSX.Element {
  const { values, counts, trans } = props;
  const rows = [...new Set([...Object.keys(values), ...counts.keys()])]
    .sort((a, b) => a.localeCompare(b, undefined, { numeric: true }))
    .map(name => ({
      name,
      value: values[name] as Scalar | undefined,
      count: counts.get(name)
    }));
  return (
    <Section title={trans.__('Metrics')} count={rows.length}>
      {rows.length === 0 ? (
        <Empty>{props.empty}</Empty>
      ) : (
        <DataTable
          caption={trans.__('Metrics')}
          rows={rows}
          rowKey={row => row.name}
          trans={trans}
          columns={[
            {
              id: 'name',
              label: trans.__('Name'),
              render: row => row.name,
              sortBy: row => row.name
            },
            {
              id: 'value',
              label: props.valueLabel,
              render: row => (
                <span
                  className="jp-DotscienceValue"
                  title={formatValue(row.value, true)}
                >
                  {formatValue(row.value)}
                </span>
              ),
              sortBy: row => row.value
            },
            {
              id: 'points',
              label: trans.__('Points'),
              numeric: true,
              render: row => row.count ?? NOTHING,
              sortBy: row => row.count
            }
          ]}
        />
      )}
      {props.children}
    </Section>
  );
}

/**
 * A chart whose points are asked for when it comes into view.
 */
export function LazyChart(props: {
  name: string;
  curves: {
    label: string;
    style?: number;
    ask: () => Promise<SeriesPoints>;
  }[];
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { name, curves, themeManager, trans } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const seen = useSeen(host);
  const labels = curves.map(curve => curve.label).join('\n');
  const { value, error, retry } = useAsked(
    () =>
      Promise.all(
        curves.map(async ({ label, style, ask }) => ({
          label,
          style,
          points: await ask()
        }))
      ),
    `${name}\n${labels}`,
    seen
  );
  return (
    <div ref={host} className="jp-DotscienceCharts-item">
      {value ? (
        <MetricChart
          name={name}
          curves={value}
          themeManager={themeManager}
          trans={trans}
        />
      ) : error ? (
        <Failure
          message={trans.__('The points of %1 could not be read.', name)}
          details={error.message}
          trans={trans}
          onRetry={retry}
        />
      ) : (
        <Waiting>{trans.__('Reading the points of %1…', name)}</Waiting>
      )}
    </div>
  );
}

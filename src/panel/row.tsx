// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { RunSummary } from '../api/schema';
import { formatDuration, formatTime, runTitle } from '../run/format';
import { baseName, relativeTime, shortValue } from './format';
import type { IColumn } from './model';

/** How many metrics of its own a run shows when none are chosen. */
const OWN_METRICS = 2;

/**
 * What a row shows.
 */
export interface IRunRowProps {
  /** Id of the element. */
  id: string;

  /** The run; undefined while it is on its way. */
  run: RunSummary | undefined;

  /** Its place in the list, from 0. */
  index: number;

  /** How many runs there are. */
  total: number;

  /** Height in px. */
  height: number;

  /** Whether the keyboard is at this row. */
  isActive: boolean;

  /** Whether the run is chosen for a comparison. */
  isSelected: boolean;

  /** Whether the run has just arrived. */
  isFresh: boolean;

  /** The values to show. */
  columns: readonly IColumn[];

  /** Whether it shows metrics of its own beside them. */
  showsOwnMetrics: boolean;

  /** The present moment, ms since the epoch. */
  now: number;

  /** The language of the interface. */
  language: string;

  /** The translation bundle. */
  trans: TranslationBundle;
}

/**
 * A run in the list.
 */
export const RunRow = React.memo(function RunRow(
  props: IRunRowProps
): React.ReactElement {
  const { run, index } = props;
  const classes = ['jp-DotscienceList-row', 'jp-DotscienceRuns-row'];
  if (props.isActive) {
    classes.push('jp-mod-active');
  }
  if (props.isFresh) {
    classes.push('jp-mod-fresh');
  }
  if (run?.status === 'failed') {
    classes.push('jp-mod-failed');
  }
  return (
    <div
      id={props.id}
      role="option"
      className={classes.join(' ')}
      aria-selected={props.isSelected}
      aria-posinset={index + 1}
      aria-setsize={props.total}
      aria-busy={run === undefined}
      data-index={index}
      data-run={run?.id}
      style={{
        height: props.height,
        transform: `translateY(${index * props.height}px)`
      }}
    >
      {run ? <RunRowContent {...props} run={run} /> : <Placeholder />}
    </div>
  );
});

function RunRowContent(
  props: IRunRowProps & { run: RunSummary }
): React.ReactElement {
  const { run, trans } = props;
  const title = runTitle(run, trans);
  const time = run.started ?? run.created;
  const tooltip =
    run.seconds === null
      ? formatTime(time)
      : trans.__(
          '%1, took %2',
          formatTime(time),
          formatDuration(run.seconds, trans)
        );
  return (
    <>
      <div className="jp-DotscienceRuns-line">
        {props.isSelected && (
          <checkIcon.react
            tag="span"
            className="jp-DotscienceRuns-check"
            width="14px"
            height="14px"
          />
        )}
        <span
          className="jp-DotscienceRuns-title"
          title={run.description || title}
        >
          {title}
        </span>
        <time
          className="jp-DotscienceRuns-time"
          dateTime={time}
          title={tooltip}
        >
          {relativeTime(time, props.now, props.language)}
        </time>
      </div>
      <div className="jp-DotscienceRuns-line jp-mod-secondary">
        <Badges run={run} trans={trans} />
        <span className="jp-DotscienceRuns-source" title={sourceOf(run)}>
          {baseName(sourceOf(run))}
        </span>
        {run.author && (
          <span className="jp-DotscienceRuns-author" title={run.author}>
            {run.author}
          </span>
        )}
      </div>
      <div className="jp-DotscienceRuns-line jp-mod-secondary">
        {run.error ? (
          <span className="jp-DotscienceRuns-error" title={run.error}>
            {run.error}
          </span>
        ) : (
          <Values
            run={run}
            columns={props.columns}
            showsOwnMetrics={props.showsOwnMetrics}
          />
        )}
      </div>
    </>
  );
}

function Badges(props: {
  run: RunSummary;
  trans: TranslationBundle;
}): React.ReactElement {
  const { run, trans } = props;
  return (
    <>
      {run.status === 'failed' && (
        <span className="jp-Dotscience-badge jp-mod-error">
          {trans.__('failed')}
        </span>
      )}
      {run.authority === 'correction' && (
        <span
          className="jp-Dotscience-badge"
          title={trans.__('Files changed that no run explains')}
        >
          {trans.__('correction')}
        </span>
      )}
      {run.authority === 'derived' && (
        <span
          className="jp-Dotscience-badge"
          title={trans.__('Observed from outside: the code declared nothing')}
        >
          {trans.__('derived')}
        </span>
      )}
    </>
  );
}

function Values(props: {
  run: RunSummary;
  columns: readonly IColumn[];
  showsOwnMetrics: boolean;
}): React.ReactElement {
  const { run, columns } = props;
  const own = props.showsOwnMetrics
    ? Object.keys(run.metrics)
        .filter(name => !columns.some(column => column.name === name))
        .slice(0, OWN_METRICS)
        .map(name => ({ kind: 'metrics', name }) as const)
    : [];
  return (
    <>
      {[...columns, ...own]
        .filter(({ kind, name }) => name in run[kind])
        .map(({ kind, name }) => (
          <span
            key={`${kind}.${name}`}
            className="jp-DotscienceRuns-metric"
            title={`${name}: ${String(run[kind][name])}`}
          >
            <span className="jp-DotscienceRuns-metricName">{name}</span>{' '}
            <span className="jp-DotscienceRuns-metricValue">
              {shortValue(run[kind][name])}
            </span>
          </span>
        ))}
    </>
  );
}

function Placeholder(): React.ReactElement {
  return (
    <>
      <div className="jp-DotscienceRuns-placeholder" style={{ width: '70%' }} />
      <div className="jp-DotscienceRuns-placeholder" style={{ width: '45%' }} />
    </>
  );
}

function sourceOf(run: RunSummary): string {
  return run.workload_file ?? run.workload_type;
}

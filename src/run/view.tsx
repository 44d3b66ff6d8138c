// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunDetail } from '../api/schema';
import {
  ErrorBoundary,
  Facts,
  Failure,
  LinkButton,
  Waiting
} from './components';
import { Datasets } from './datasets';
import { EnvironmentView } from './environmentview';
import { Files, Id } from './files';
import type { Scalar } from './format';
import {
  NOTHING,
  formatBytes,
  formatDuration,
  formatTime,
  formatValue,
  runTitle
} from './format';
import { CommitMetadata, Logs } from './logs';
import { Metrics } from './metrics';
import { LiveView } from './liveview';
import type { RunModel } from './model';
import { Labels, Models, Parameters, ValueFacts } from './values';

/**
 * What a run's tab can do elsewhere in the application.
 */
export interface IRunActions {
  /**
   * Open another run's tab.
   */
  openRun(run: string): void;

  /**
   * Open a file as it was in a commit, read-only.
   */
  openFile(commit: string, path: string): void;

  /**
   * Open the run's notebook or script as it was, read-only.
   */
  openWorkload(run: string): void;

  /**
   * Show what a version of a file was made from, or what came of it.
   */
  openProvenance(start: string, direction: 'up' | 'down'): void;
}

/**
 * Everything known of a run.
 */
export function RunView(props: {
  model: RunModel;
  actions: IRunActions;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, actions, themeManager, trans } = props;
  const { detail, error } = model;
  const retry = (): void => {
    void model.load();
  };

  if (!detail) {
    if (model.live) {
      return <LiveView run={model.live} {...{ model, themeManager, trans }} />;
    }
    if (!error) {
      return <Waiting>{trans.__('Reading the run…')}</Waiting>;
    }
    return model.isMissing ? (
      <Failure
        message={trans.__(
          'This workspace has no run %1. A run that was just published is there as soon as its notebook has been saved and committed; a run of another workspace can only be opened from there.',
          model.run
        )}
        trans={trans}
        onRetry={retry}
      />
    ) : (
      <Failure
        message={trans.__('The run could not be read: %1', error.message)}
        details={error.details}
        trans={trans}
        onRetry={retry}
      />
    );
  }

  return (
    <ErrorBoundary
      message={trans.__(
        'The run cannot be shown; its record is safe. Close the tab and open it again.'
      )}
    >
      <RunHeader run={detail} actions={actions} trans={trans} />
      <Metrics
        run={detail}
        series={name => model.series(name)}
        themeManager={themeManager}
        trans={trans}
      />
      <Parameters parameters={detail.parameters} trans={trans} />
      <Labels labels={detail.labels} trans={trans} />
      <Models
        run={detail}
        fileLink={path => (
          <LinkButton
            title={trans.__('Open %1 as it was, read-only', path)}
            onClick={() => actions.openFile(detail.commit, path)}
          >
            {path}
          </LinkButton>
        )}
        trans={trans}
      />
      <Files
        title={trans.__('Inputs')}
        none={trans.__('The run declared no inputs.')}
        direction="input"
        files={detail.inputs}
        commit={detail.commit}
        openFile={actions.openFile}
        openRun={actions.openRun}
        openProvenance={actions.openProvenance}
        trans={trans}
      />
      <Files
        title={trans.__('Outputs')}
        none={trans.__('The run declared no outputs.')}
        direction="output"
        files={detail.outputs}
        commit={detail.commit}
        openFile={actions.openFile}
        openRun={actions.openRun}
        openProvenance={actions.openProvenance}
        trans={trans}
      />
      <Datasets
        datasets={detail.datasets}
        openRun={actions.openRun}
        openProvenance={actions.openProvenance}
        trans={trans}
      />
      <EnvironmentView environment={detail.environment} trans={trans} />
      <ValueFacts title={trans.__('Seeds')} values={detail.seeds} />
      <ValueFacts
        title={trans.__('Resources')}
        values={detail.resources}
        show={(name, value) => formatResource(name, value, trans)}
      />
      <Logs
        logs={detail.logs}
        log={(name, tail) => model.log(name, tail)}
        trans={trans}
      />
      <CommitMetadata
        commit={detail.commit}
        ask={commit => model.commit(commit)}
        trans={trans}
      />
    </ErrorBoundary>
  );
}

/**
 * What the run is, who made it, when, and whether it failed.
 */
function RunHeader(props: {
  run: RunDetail;
  actions: IRunActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { run, actions, trans } = props;
  const failed = run.status === 'failed';
  const title = runTitle(run, trans);
  const description = run.description.trim();
  return (
    <header className="jp-DotscienceRun-header">
      <h1>{title}</h1>
      {description !== title && description !== '' && (
        <p className="jp-DotscienceRun-description">{description}</p>
      )}
      {failed && (
        <div
          className="jp-DotscienceRun-error"
          role="group"
          aria-label={trans.__('Why the run failed')}
        >
          <strong>{run.error || trans.__('The run failed.')}</strong>
          {run.traceback && run.traceback !== run.error && (
            <pre>{run.traceback}</pre>
          )}
        </div>
      )}
      <Facts
        facts={[
          {
            label: trans.__('Status'),
            value: (
              <span
                className={`jp-Dotscience-badge${failed ? ' jp-mod-error' : ''}`}
              >
                {failed ? trans.__('failed') : trans.__('succeeded')}
              </span>
            )
          },
          {
            label: trans.__('Started'),
            value: formatTime(run.started ?? run.created),
            title: run.started ?? run.created
          },
          {
            label: trans.__('Duration'),
            value: formatDuration(run.seconds, trans)
          },
          { label: trans.__('Author'), value: run.author || NOTHING },
          {
            label: trans.__('Notebook or script'),
            value: run.workload_file ? (
              <>
                <LinkButton
                  title={trans.__('Open %1 as of this run', run.workload_file)}
                  onClick={() => actions.openWorkload(run.id)}
                >
                  {run.workload_file}
                </LinkButton>
                {cellText(run, trans)}
              </>
            ) : (
              NOTHING
            )
          },
          { label: trans.__('Commit'), value: <Id id={run.commit} /> },
          {
            label: trans.__('Run'),
            value: <code className="jp-DotscienceId">{run.id}</code>
          },
          {
            label: trans.__('Known from'),
            value: authorityText(run.authority, trans)
          }
        ]}
      />
    </header>
  );
}

function cellText(run: RunDetail, trans: TranslationBundle): string {
  const { cell } = run;
  if (!cell) {
    return '';
  }
  // a space before, since it follows the file's name
  if (typeof cell.execution_count === 'number') {
    return ` [${cell.execution_count}]`;
  }
  return typeof cell.index === 'number'
    ? ` (${trans.__('cell %1', cell.index + 1)})`
    : '';
}

/**
 * How we know of a run.
 */
export function authorityText(
  authority: RunDetail['authority'],
  trans: TranslationBundle
): string {
  switch (authority) {
    case 'workload':
      return trans.__('declared by the code');
    case 'derived':
      return trans.__('observed from outside; the code declared nothing');
    case 'correction':
      return trans.__('files that changed without a run that explains it');
    case 'remote':
      return trans.__('published from elsewhere');
  }
}

function formatResource(
  name: string,
  value: Scalar,
  trans: TranslationBundle
): string {
  if (typeof value === 'number') {
    if (name.endsWith('_seconds')) {
      return formatDuration(value, trans);
    }
    if (name.endsWith('_ram') || name.endsWith('_bytes')) {
      return formatBytes(value);
    }
  }
  return formatValue(value);
}

// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunDetail } from '../api/schema';
import { CopyLink } from '../links/button';
import {
  Empty,
  ErrorBoundary,
  Failure,
  LinkButton,
  Section,
  TextButton,
  Waiting
} from '../run/components';
import { environmentLabel, environmentValue } from '../run/environment';
import type { EnvironmentFact } from '../run/environment';
import {
  NOTHING,
  formatDuration,
  formatTime,
  formatValue,
  runTitle,
  shortId
} from '../run/format';
import { LazyChart } from '../run/metrics';
import type { RunModel } from '../run/model';
import type { IComparedValue } from './compare';
import { compareRuns } from './compare';
import { ComparedFiles, DiffFiles } from './files';
import type { CompareModel } from './model';
import { PairTable, formatDelta } from './table';

/**
 * What a comparison can do elsewhere in the application.
 */
export interface ICompareActions {
  /**
   * Open a run's tab.
   */
  openRun(run: string): void;

  /**
   * Open a file as it was in a commit, read-only.
   */
  openFile(commit: string, path: string): void;

  /**
   * Show how a file of two commits differs, inside.
   */
  openDifference(old: string, newer: string, file: string): void;

  /**
   * Have the user choose a run other than one.
   *
   * @returns The id of the run, or null.
   */
  chooseRun(other: string): Promise<string | null>;

  /**
   * Copy a link to the comparison.
   */
  copyLink(): void;
}

/**
 * Two runs side by side.
 */
export function CompareView(props: {
  model: CompareModel;
  actions: ICompareActions;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, actions, themeManager, trans } = props;
  const [onlyDifferences, setOnlyDifferences] = React.useState(true);
  const a = model.a.detail;
  const b = model.b.detail;

  return (
    <ErrorBoundary
      message={trans.__(
        'The comparison cannot be shown; both runs are safe. Close the tab and open it again.'
      )}
    >
      <header className="jp-DotscienceCompare-header">
        <h1>{trans.__('Compare two runs')}</h1>
        <div className="jp-DotscienceCompare-sides">
          <Side
            letter="A"
            side="a"
            run={model.a}
            other={model.b.run}
            {...{ model, actions, trans }}
          />
          <TextButton
            title={trans.__('Put the second run first')}
            onClick={() => {
              void model.swap();
            }}
          >
            {trans.__('⇄ Swap')}
          </TextButton>
          <Side
            letter="B"
            side="b"
            run={model.b}
            other={model.a.run}
            {...{ model, actions, trans }}
          />
        </div>
        <label className="jp-DotscienceCompare-only">
          <input
            type="checkbox"
            checked={onlyDifferences}
            onChange={event => setOnlyDifferences(event.target.checked)}
          />
          {trans.__('Only differences')}
        </label>
        <CopyLink onClick={() => actions.copyLink()} trans={trans} />
      </header>
      {a && b && (
        <Comparison
          {...{ model, actions, themeManager, trans, a, b, onlyDifferences }}
        />
      )}
    </ErrorBoundary>
  );
}

/**
 * One of the two runs: what it is, and a way to take another.
 */
function Side(props: {
  letter: string;
  side: 'a' | 'b';
  run: RunModel;
  other: string;
  model: CompareModel;
  actions: ICompareActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { letter, side, run, other, model, actions, trans } = props;
  const { detail, error } = run;
  const choose = async (): Promise<void> => {
    const chosen = await actions.chooseRun(other);
    if (chosen !== null && !model.isDisposed) {
      await model.choose(side, chosen);
    }
  };
  return (
    <div
      className={`jp-DotscienceCompare-side jp-mod-${side}`}
      role="group"
      aria-label={trans.__('Run %1', letter)}
    >
      <span className="jp-DotscienceCompare-letter" aria-hidden="true">
        {letter}
      </span>
      <div>
        {detail ? (
          <>
            <LinkButton
              title={trans.__('Open run %1', run.run)}
              onClick={() => actions.openRun(run.run)}
            >
              {runTitle(detail, trans)}
            </LinkButton>
            <div className="jp-DotscienceCompare-facts">
              {sideFacts(detail, trans).join(' · ')}
            </div>
          </>
        ) : error ? (
          <Failure
            message={
              run.isMissing
                ? trans.__('This workspace has no run %1.', run.run)
                : trans.__('The run could not be read: %1', error.message)
            }
            trans={trans}
            onRetry={() => {
              void model.load();
            }}
          />
        ) : (
          <Waiting>{trans.__('Reading run %1…', shortId(run.run))}</Waiting>
        )}
        <TextButton
          onClick={() => {
            void choose();
          }}
        >
          {trans.__('Choose another…')}
        </TextButton>
      </div>
    </div>
  );
}

function sideFacts(run: RunDetail, trans: TranslationBundle): string[] {
  return [
    run.status === 'failed' ? trans.__('failed') : trans.__('succeeded'),
    formatTime(run.started ?? run.created),
    formatDuration(run.seconds, trans),
    run.author,
    run.workload_file ?? '',
    shortId(run.id)
  ].filter(fact => fact !== '' && fact !== NOTHING);
}

/**
 * Everything of the two runs, part by part.
 */
function Comparison(props: {
  model: CompareModel;
  actions: ICompareActions;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
  a: RunDetail;
  b: RunDetail;
  onlyDifferences: boolean;
}): JSX.Element {
  const { model, actions, themeManager, trans, a, b, onlyDifferences } = props;
  const compared = React.useMemo(() => compareRuns(a, b), [a, b]);
  const { environment } = compared;
  const curves = compared.metrics.filter(
    metric => metric.seriesA || metric.seriesB
  );

  return (
    <>
      <PairSection
        title={trans.__('Parameters')}
        rows={compared.parameters}
        {...{ onlyDifferences, trans }}
      />
      <Section
        title={trans.__('Metrics')}
        count={compared.metrics.filter(row => !row.same).length}
      >
        <PairTable
          caption={trans.__('Metrics')}
          rows={compared.metrics}
          onlyDifferences={onlyDifferences}
          delta={row => formatDelta(row.delta, row.relative)}
          trans={trans}
        />
        {curves.length > 0 && (
          <div className="jp-DotscienceCharts">
            {curves.map(metric => (
              <LazyChart
                // the curves belong to these two runs in this order
                key={`${metric.name}\n${a.id}\n${b.id}`}
                name={metric.name}
                curves={[
                  ...(metric.seriesA
                    ? [
                        {
                          label: trans.__('A'),
                          style: 0,
                          ask: () => model.a.series(metric.name)
                        }
                      ]
                    : []),
                  ...(metric.seriesB
                    ? [
                        {
                          label: trans.__('B'),
                          style: 1,
                          ask: () => model.b.series(metric.name)
                        }
                      ]
                    : [])
                ]}
                themeManager={themeManager}
                trans={trans}
              />
            ))}
          </div>
        )}
      </Section>
      <PairSection
        title={trans.__('Labels')}
        rows={compared.labels}
        {...{ onlyDifferences, trans }}
      />
      <ComparedFiles
        title={trans.__('Inputs')}
        direction="input"
        rows={compared.inputs}
        {...{ a, b, actions, onlyDifferences, trans }}
      />
      <ComparedFiles
        title={trans.__('Outputs')}
        direction="output"
        rows={compared.outputs}
        {...{ a, b, actions, onlyDifferences, trans }}
      />
      <DiffFiles
        diff={model.diff}
        error={model.diffError}
        openFile={actions.openFile}
        openDifference={actions.openDifference}
        retry={() => {
          void model.loadDiff();
        }}
        more={() => {
          void model.loadDiff(true);
        }}
        trans={trans}
      />
      <Section
        title={trans.__('Environment')}
        count={
          [...environment.facts, ...environment.packages].filter(
            row => !row.same
          ).length
        }
      >
        <PairTable
          caption={trans.__('Environment')}
          rows={environment.facts}
          onlyDifferences={onlyDifferences}
          label={row => environmentLabel(row.name, trans)}
          show={(value, row) => showFact(row.name, value, trans)}
          trans={trans}
        />
        <h3>{trans.__('Packages')}</h3>
        <PairTable
          caption={trans.__('Packages')}
          rows={environment.packages}
          onlyDifferences={onlyDifferences}
          delta={row => packageChange(row, trans)}
          deltaLabel={trans.__('Change')}
          trans={trans}
        />
      </Section>
      <PairSection
        title={trans.__('Seeds')}
        rows={compared.seeds}
        {...{ onlyDifferences, trans }}
      />
    </>
  );
}

/**
 * A part that is a table of values and nothing else; left out where neither run has any.
 */
function PairSection(props: {
  title: string;
  rows: IComparedValue[];
  onlyDifferences: boolean;
  trans: TranslationBundle;
}): JSX.Element {
  const { title, rows, onlyDifferences, trans } = props;
  return (
    <Section title={title} count={rows.filter(row => !row.same).length}>
      {rows.length === 0 ? (
        <Empty>{trans.__('Neither run has any.')}</Empty>
      ) : (
        <PairTable
          caption={title}
          rows={rows}
          onlyDifferences={onlyDifferences}
          trans={trans}
        />
      )}
    </Section>
  );
}

function showFact(
  fact: EnvironmentFact,
  value: IComparedValue['a'],
  trans: TranslationBundle
): string {
  return typeof value === 'string'
    ? environmentValue(fact, value, trans)
    : formatValue(value);
}

function packageChange(row: IComparedValue, trans: TranslationBundle): string {
  if (row.same) {
    return trans.__('same');
  }
  if (row.a === undefined) {
    return trans.__('added');
  }
  return row.b === undefined ? trans.__('removed') : trans.__('changed');
}

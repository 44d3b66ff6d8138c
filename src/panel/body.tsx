// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { RunSummary } from '../api/schema';
import { CommandIDs } from '../commands';
import { DatasetsSection } from '../datasets/section';
import { CloneLines } from '../sync/clonelines';
import { HubSection } from '../sync/section';
import type { IDatasetsState, IHubState } from '../tokens';
import { VERSION } from '../version';
import { Header } from './header';
import { useNow, useSame, useSignal } from './hooks';
import { RunList } from './list';
import { LiveLines } from './live';
import type { PanelModel } from './model';
import {
  ConnectionState,
  Message,
  NoMatches,
  NoRuns,
  NoWorkspace
} from './states';
import { Toolbar } from './toolbar';

/** How often relative times are told anew, in ms. */
const TICK = 30_000;

/**
 * What the panel works with.
 */
export interface IPanelProps {
  /** What it shows. */
  model: PanelModel;

  /** The application's commands; every action of the panel is one. */
  commands: CommandRegistry;

  /** The language of the interface. */
  language: string;

  /** The translation bundle. */
  trans: TranslationBundle;

  /** What is known of the hub, if anybody does. */
  hub?: IHubState | null;

  /** What is known of datasets, if anybody does. */
  datasets?: IDatasetsState | null;

  /** Show what can be done with a run, at a place on the page. */
  onMenu: (run: RunSummary, x: number, y: number) => void;
}

/**
 * The panel: how the server side is, the workspace and its runs.
 */
export function Panel(props: IPanelProps): React.ReactElement {
  const { model, commands, trans } = props;
  const { tracker } = model;
  useSignal(tracker.workspaceChanged);
  useSignal(tracker.pathChanged);
  useSignal(model.changed);

  const workspace = tracker.workspace;
  const connection = tracker.connection;
  // While the server is away, what is known stays on the screen, with a line that says so.
  if (
    connection !== 'ready' &&
    connection !== 'outdated' &&
    !(connection === 'offline' && workspace)
  ) {
    return <ConnectionState {...{ tracker, commands, trans }} />;
  }
  if (!tracker.isReady && !workspace) {
    return <Message title={trans.__('Connecting…')} />;
  }
  return (
    <>
      {connection === 'outdated' && <Outdated {...props} />}
      {connection === 'offline' && <Offline {...props} />}
      {props.hub && (
        <CloneLines clones={props.hub.clones} {...{ commands, trans }} />
      )}
      {workspace ? (
        <>
          <Header {...{ tracker, commands, trans }} />
          {props.hub && (
            <HubSection
              key={`hub of ${workspace.id}`}
              hub={props.hub}
              {...{ commands, trans }}
            />
          )}
          {props.datasets && (
            <DatasetsSection
              key={`datasets of ${workspace.id}`}
              datasets={props.datasets}
              workspace={workspace.path}
              {...{ commands, trans }}
            />
          )}
          <LiveLines
            key={`live of ${workspace.id}`}
            workspace={workspace.path}
            {...{ tracker, commands, trans }}
          />
          <Runs key={workspace.id} {...props} />
        </>
      ) : (
        <NoWorkspace {...{ tracker, commands, trans }} />
      )}
      <div
        className="jp-Dotscience-visuallyHidden"
        role="status"
        aria-live="polite"
      >
        {model.announcement}
      </div>
    </>
  );
}

function Runs(props: IPanelProps): React.ReactElement {
  const { model, commands, trans } = props;
  const { runs, tracker } = model;
  useSignal(runs.changed);
  const now = useNow(TICK);
  const [cleared, setCleared] = React.useState(0);
  const workspace = tracker.workspace?.path ?? '';
  // Rows are drawn again only when this is another list.
  const columns = useSame(model.columns);
  const isFiltered = runs.filter.search !== '' || runs.filter.where !== '';

  if (runs.error && runs.total === 0) {
    return (
      <Message title={trans.__('The runs could not be read')}>
        <p className="jp-DotsciencePanel-details">{runs.error.message}</p>
        <Button className="jp-mod-styled" onClick={() => void runs.reload()}>
          {trans.__('Retry')}
        </Button>
      </Message>
    );
  }
  if (!runs.isReady) {
    return <Message title={trans.__('Reading the runs…')} />;
  }
  if (runs.total === 0 && !isFiltered && !runs.isStale) {
    return <NoRuns commands={commands} trans={trans} />;
  }
  return (
    <>
      <Toolbar
        key={cleared}
        runs={runs}
        selected={model.selected}
        trans={trans}
        onCompare={() => {
          const [a, b] = model.selected;
          void commands.execute(CommandIDs.compareRuns, { a, b, workspace });
        }}
        onExplore={() => {
          const { where } = runs.filter;
          void commands.execute(CommandIDs.openExplorer, { workspace, where });
        }}
      />
      <div className="jp-DotsciencePanel-count" role="status">
        {trans._n('%1 run', '%1 runs', runs.total)}
        {model.selected.length > 0 && (
          <>
            {' · '}
            {trans._n('%1 chosen', '%1 chosen', model.selected.length)}
          </>
        )}
      </div>
      {runs.error && (
        <div className="jp-DotsciencePanel-whereError" role="alert">
          {runs.error.message}
        </div>
      )}
      {runs.total === 0 && isFiltered && !runs.isStale && !runs.whereError ? (
        <NoMatches
          trans={trans}
          onClear={() => {
            runs.setFilter({ search: '', where: '' });
            setCleared(cleared + 1);
          }}
        />
      ) : (
        <RunList
          runs={runs}
          selected={model.selected}
          fresh={model.fresh}
          columns={columns}
          showsOwnMetrics={model.showsOwnMetrics}
          now={now}
          language={props.language}
          trans={trans}
          onOpen={run =>
            void commands.execute(CommandIDs.openRun, {
              run: run.id,
              workspace
            })
          }
          onToggle={run => model.toggle(run.id)}
          onSelect={ids => model.select(ids)}
          onMenu={props.onMenu}
        />
      )}
    </>
  );
}

function Outdated(props: IPanelProps): React.ReactElement {
  const { trans } = props;
  return (
    <div className="jp-DotsciencePanel-notice" role="alert">
      {trans.__(
        'This page has version %1 of dotscience-jupyter and the server another one. Restart the server and reload the page.',
        VERSION
      )}
    </div>
  );
}

function Offline(props: IPanelProps): React.ReactElement {
  const { commands, trans } = props;
  return (
    <div className="jp-DotsciencePanel-notice" role="alert">
      {trans.__('The server cannot be reached; trying again…')}{' '}
      <Button
        className="jp-mod-styled"
        small
        onClick={() => void commands.execute(CommandIDs.refresh)}
      >
        {trans.__('Retry')}
      </Button>
    </div>
  );
}

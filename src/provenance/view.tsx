// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { ErrorBoundary, Failure, TextButton, Waiting } from '../run/components';
import Flow from './flow';
import { List } from './list';
import type { ProvenanceModel } from './model';
import type { IProvenanceActions } from './sheet';
import { Sheet } from './sheet';
import { Heading, Legend, Toolbar } from './toolbar';
import { matches, shownTitle } from './words';

/**
 * The graph of runs and file versions, as a drawing or a list.
 */
export function ProvenanceView(props: {
  model: ProvenanceModel;
  actions: IProvenanceActions;
  onExport: (place: HTMLElement) => void;
  onLink: () => void;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, actions, onExport, onLink, themeManager, trans } = props;
  const { arrangement, graph, selected, view } = model;
  const [text, setText] = React.useState('');
  const [at, setAt] = React.useState(0);
  const [centre, setCentre] = React.useState<{ id: string } | null>(null);
  const host = React.useRef<HTMLDivElement>(null);

  const words = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const found = React.useMemo(
    () =>
      words.length === 0 || !graph
        ? null
        : [...graph.nodes.values()]
            .filter(node => matches(node, words))
            .map(({ id }) => id),
    [words.join(' '), arrangement, graph]
  );
  const foundShown = React.useMemo(
    () => new Set((found ?? []).flatMap(id => arrangement.shownFor(id) ?? [])),
    [found, arrangement]
  );
  const goTo = (index: number, ids: readonly string[]): void => {
    setAt(index);
    const id = arrangement.shownFor(ids[index]);
    if (id !== undefined) {
      model.select(id);
      setCentre({ id });
    }
  };
  const shownIds = [...foundShown];

  /** Show what a node is, or compare with it if that is what was asked for. */
  const onChoose = (id: string): void => {
    const { comparing } = model;
    const other = graph?.nodes.get(id)?.workspace ?? null;
    if (comparing !== null && comparing !== id && other === null) {
      model.compareWith(null);
      actions.compareLineages(comparing, id);
      return;
    }
    model.select(id, true);
  };
  const onOpen = (id: string): void => {
    const shown = arrangement.nodes.get(id);
    const node = shown?.node ?? graph?.nodes.get(id);
    if (shown?.kind === 'chain') {
      model.expandChain(id);
      return;
    }
    const place = node ? model.placeOf(node) : null;
    if (!node || place === null) {
      return;
    }
    if (node.kind === 'run') {
      actions.openRun(node.run ?? '', place);
    } else if (node.commit && node.path) {
      actions.openFile(node.commit, node.path, place);
    }
  };
  const focusBody = (): void => {
    host.current
      ?.querySelector<HTMLElement>(
        '[role=application], [role=treeitem][tabindex="0"]'
      )
      ?.focus();
  };
  const onEscape = (): void => {
    if (model.comparing !== null) {
      model.compareWith(null);
    } else if (model.isSheetOpen) {
      model.select(selected, false);
    } else if (model.focus) {
      model.setFocus(null);
    } else {
      model.select(null);
    }
  };

  if (!graph) {
    return (
      <div className="jp-DotscienceProvenance-message">
        {model.error ? (
          <Trouble model={model} actions={actions} trans={trans} />
        ) : (
          <Waiting>{trans.__('Reading the graph…')}</Waiting>
        )}
      </div>
    );
  }
  const comparing =
    model.comparing === null
      ? undefined
      : arrangement.nodes.get(model.comparing);
  return (
    <ErrorBoundary
      message={trans.__(
        'The graph cannot be shown; your runs and files are not affected. Close the tab and open it again.'
      )}
    >
      <Heading model={model} trans={trans} />
      <Toolbar
        model={model}
        search={{
          text,
          onText: value => {
            setText(value);
            setAt(0);
          },
          count: shownIds.length,
          at: Math.min(at, Math.max(0, shownIds.length - 1)),
          onStep: by => {
            if (shownIds.length > 0) {
              // the first step goes to the first one that was found
              const next = selected === shownIds[at] ? at + by : at;
              goTo((next + shownIds.length) % shownIds.length, shownIds);
            }
          }
        }}
        onExport={onExport}
        onLink={onLink}
        trans={trans}
      />
      <Notes model={model} trans={trans} />
      {model.error && <Trouble model={model} actions={actions} trans={trans} />}
      {comparing && (
        <p className="jp-DotscienceProvenance-note" role="status">
          {trans.__(
            'Choose another run or file to compare the lineage of %1 with.',
            shownTitle(comparing, trans)
          )}
          <TextButton onClick={() => model.compareWith(null)}>
            {trans.__('Cancel')}
          </TextButton>
        </p>
      )}
      <div className="jp-DotscienceProvenance-main" ref={host}>
        {view === 'graph' ? (
          <Flow
            model={model}
            found={foundShown}
            centre={centre}
            onChoose={onChoose}
            onOpen={onOpen}
            onEscape={onEscape}
            themeManager={themeManager}
            trans={trans}
          />
        ) : (
          <List
            model={model}
            found={found && new Set(found)}
            onChoose={onChoose}
            onOpen={onOpen}
            trans={trans}
          />
        )}
        {model.isSheetOpen && (
          <Sheet
            model={model}
            actions={actions}
            onClose={() => {
              model.select(selected, false);
              focusBody();
            }}
            trans={trans}
          />
        )}
      </div>
      {view === 'graph' && <Legend model={model} trans={trans} />}
    </ErrorBoundary>
  );
}

/**
 * What one has to know of what is shown.
 */
function Notes(props: {
  model: ProvenanceModel;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, trans } = props;
  const { graph, query } = model;
  if (!graph) {
    return null;
  }
  const notes: string[] = [];
  if (graph.nodes.size === 0) {
    notes.push(
      query.start === ''
        ? trans.__('This workspace has no runs yet.')
        : trans.__('Nothing is recorded of this.')
    );
  } else if (graph.edges.length === 0 && graph.nodes.size === 1) {
    const [node] = graph.nodes.values();
    if (graph.hiddenUp(node.id) + graph.hiddenDown(node.id) === 0) {
      notes.push(
        node.kind === 'file'
          ? trans.__(
              'No run read or wrote this version of the file, as far as is recorded.'
            )
          : trans.__('This run read and wrote no files, as far as is recorded.')
      );
    }
  }
  if (graph.truncated) {
    notes.push(
      query.start === ''
        ? trans.__(
            'The graph is large: only the newest part is shown. A number beside a node shows how many of its neighbours were left out; click it to see them.'
          )
        : trans.__(
            'The graph is large: only the nearest part is shown. A number beside a node shows how many of its neighbours were left out; click it to see them.'
          )
    );
  }
  for (const { name, problem } of graph.workspaces.values()) {
    if (problem) {
      notes.push(
        trans.__(
          'The workspace %1 was not looked into, so what it made is missing here. %2',
          name,
          problem
        )
      );
    }
  }
  return notes.length === 0 ? null : (
    <p className="jp-DotscienceProvenance-note">{notes.join(' ')}</p>
  );
}

/**
 * Why there is nothing to see, and what to do.
 */
function Trouble(props: {
  model: ProvenanceModel;
  actions: IProvenanceActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, actions, trans } = props;
  const { error } = model;
  if (error?.code === 'no_workspace') {
    return (
      <div className="jp-DotscienceFailure" role="alert">
        <p>
          {trans.__(
            'This folder is not tracked, so it is not known where its files came from. Once it is tracked, the files of every run are recorded.'
          )}
        </p>
        <TextButton onClick={() => actions.startTracking()}>
          {trans.__('Start Tracking')}
        </TextButton>
      </div>
    );
  }
  return (
    <Failure
      message={
        error?.status === 404 && error.code !== 'missing'
          ? error.message
          : trans.__('The graph could not be read: %1', error?.message ?? '')
      }
      details={error?.details}
      trans={trans}
      onRetry={() => void model.load()}
    />
  );
}

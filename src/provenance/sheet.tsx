// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { GraphNode, RunDetail } from '../api/schema';
import {
  Facts,
  Failure,
  LinkButton,
  TextButton,
  Waiting,
  useAsked
} from '../run/components';
import { Id } from '../run/files';
import { NOTHING, formatBytes, formatTime, formatValue } from '../run/format';
import type { IShownNode } from './arrange';
import type { Direction } from './client';
import type { ProvenanceModel } from './model';
import { NodeIcon, moreLabel } from './nodes';
import { nodeTitle, pathOf, shownTitle, versionOf } from './words';

/** How many values of a run are shown. */
const VALUES = 12;

/**
 * What the provenance tab can do elsewhere in the application.
 */
export interface IProvenanceActions {
  /** Open a run's tab. */
  openRun(run: string, workspace: string): void;

  /** Open a file as it was in a commit, read-only. */
  openFile(commit: string, path: string, workspace: string): void;

  /** Show the versions of a file. */
  openHistory(path: string, workspace: string): void;

  /** Show what changed between two lineages. */
  compareLineages(a: string, b: string): void;

  /** Make the workspace's folder tracked. */
  startTracking(): void;
}

/**
 * What is known of the selected node, and what can be done with it.
 */
export function Sheet(props: {
  model: ProvenanceModel;
  actions: IProvenanceActions;
  onClose: () => void;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, actions, onClose, trans } = props;
  const { selected } = model;
  const shown =
    selected === null ? undefined : model.arrangement.nodes.get(selected);
  if (!shown) {
    return null;
  }
  const title = shownTitle(shown, trans);
  return (
    <aside
      className="jp-DotscienceSheet"
      role="complementary"
      aria-label={trans.__('About %1', title)}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onClose();
        }
      }}
    >
      <header>
        <NodeIcon shown={shown} />
        <h2>{title}</h2>
        <button
          type="button"
          className="jp-DotscienceSheet-close"
          title={trans.__('Close')}
          aria-label={trans.__('Close')}
          onClick={onClose}
        >
          <closeIcon.react tag="span" />
        </button>
      </header>
      {shown.kind === 'chain' ? (
        <Chain shown={shown} model={model} trans={trans} />
      ) : shown.kind === 'run' ? (
        <Run shown={shown} model={model} actions={actions} trans={trans} />
      ) : (
        <File shown={shown} model={model} actions={actions} trans={trans} />
      )}
      {shown.kind !== 'chain' && (
        <Lineage shown={shown} model={model} trans={trans} />
      )}
    </aside>
  );
}

function Run(props: {
  shown: IShownNode;
  model: ProvenanceModel;
  actions: IProvenanceActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { shown, model, actions, trans } = props;
  const { node } = shown;
  const run = node.run ?? '';
  const place = model.placeOf(node);
  const { value, error, retry } = useAsked(
    () => model.run(run, place ?? ''),
    run,
    place !== null
  );
  return (
    <>
      <div className="jp-DotscienceSheet-buttons">
        {place !== null && (
          <TextButton onClick={() => actions.openRun(run, place)}>
            {trans.__('Open Run')}
          </TextButton>
        )}
        <CompareButton shown={shown} model={model} trans={trans} />
      </div>
      <Facts
        facts={[
          {
            label: trans.__('Status'),
            value:
              node.status === 'failed' ? (
                <span className="jp-Dotscience-badge jp-mod-error">
                  {trans.__('failed')}
                </span>
              ) : (
                trans.__('succeeded')
              )
          },
          {
            label: trans.__('Notebook or script'),
            value:
              node.workload_file && node.commit && place !== null ? (
                <LinkButton
                  title={trans.__('Open %1 as of this run', node.workload_file)}
                  onClick={() =>
                    actions.openFile(
                      node.commit as string,
                      node.workload_file as string,
                      place
                    )
                  }
                >
                  {node.workload_file}
                </LinkButton>
              ) : (
                (node.workload_file ?? NOTHING)
              )
          },
          ...workspaceFact(model, node, trans),
          { label: trans.__('Author'), value: node.author || NOTHING },
          {
            label: trans.__('When'),
            value: formatTime(node.created),
            title: node.created ?? undefined
          },
          {
            label: trans.__('Run'),
            value: <code className="jp-DotscienceId">{run}</code>
          },
          { label: trans.__('Commit'), value: <Id id={node.commit} /> }
        ]}
      />
      {value ? (
        <>
          {value.error && (
            <p className="jp-DotscienceRun-error">{value.error}</p>
          )}
          <Values
            title={trans.__('Metrics')}
            values={value.metrics}
            trans={trans}
          />
          <Values
            title={trans.__('Parameters')}
            values={value.parameters}
            trans={trans}
          />
        </>
      ) : error ? (
        <Failure
          message={trans.__('The run could not be read: %1', error.message)}
          trans={trans}
          onRetry={retry}
        />
      ) : place !== null ? (
        <Waiting>{trans.__('Reading the run…')}</Waiting>
      ) : null}
    </>
  );
}

function Values(props: {
  title: string;
  values: RunDetail['metrics'];
  trans: TranslationBundle;
}): JSX.Element | null {
  const { title, values, trans } = props;
  const names = Object.keys(values).sort();
  if (names.length === 0) {
    return null;
  }
  const more = names.length - VALUES;
  return (
    <table className="jp-DotscienceSheet-values">
      <caption>{title}</caption>
      <tbody>
        {names.slice(0, VALUES).map(name => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{formatValue(values[name])}</td>
          </tr>
        ))}
        {more > 0 && (
          <tr>
            <td colSpan={2}>
              {trans._n('and %1 more', 'and %1 more', more, more)}
            </td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

function File(props: {
  shown: IShownNode;
  model: ProvenanceModel;
  actions: IProvenanceActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { shown, model, actions, trans } = props;
  const { node } = shown;
  const path = node.path ?? '';
  const { commit } = node;
  const place = model.placeOf(node);
  const maker = model.graph
    ?.up(node.id)
    .map(id => model.graph?.nodes.get(id))
    .find(other => other?.kind === 'run');
  return (
    <>
      <div className="jp-DotscienceSheet-buttons">
        {commit && place !== null && (
          <TextButton
            title={trans.__('Open the file as it was then, read-only')}
            onClick={() => actions.openFile(commit, path, place)}
          >
            {trans.__('Open as of Then')}
          </TextButton>
        )}
        {maker?.run && place !== null && (
          <TextButton
            onClick={() => actions.openRun(maker.run as string, place)}
          >
            {trans.__('Open Its Run')}
          </TextButton>
        )}
        {node.dataset === null && place !== null && (
          <TextButton onClick={() => actions.openHistory(path, place)}>
            {trans.__('Show History')}
          </TextButton>
        )}
        <CompareButton shown={shown} model={model} trans={trans} />
      </div>
      <Facts
        facts={[
          {
            label: trans.__('Path'),
            value: <span className="jp-DotscienceValue">{pathOf(node)}</span>
          },
          ...(node.dataset === null
            ? []
            : [{ label: trans.__('Dataset'), value: node.dataset }]),
          ...workspaceFact(model, node, trans),
          {
            label: trans.__('Made by'),
            value: maker ? (
              <LinkButton onClick={() => model.select(maker.id)}>
                {nodeTitle(maker, trans)}
              </LinkButton>
            ) : node.source ? (
              trans.__('no run: raw data')
            ) : (
              NOTHING
            )
          },
          ...(node.models.length > 0
            ? [{ label: trans.__('Model'), value: node.models.join(', ') }]
            : []),
          {
            label: trans.__('Size'),
            value: formatBytes(node.size),
            title:
              node.size === null ? undefined : trans.__('%1 bytes', node.size)
          },
          {
            label: trans.__('Digest'),
            value: <Id id={node.digest} />
          },
          {
            label: trans.__('Commit'),
            value: commit ? <Id id={commit} /> : versionOf(node, trans)
          },
          {
            label: trans.__('When'),
            value: formatTime(node.created),
            title: node.created ?? undefined
          }
        ]}
      />
    </>
  );
}

function workspaceFact(
  model: ProvenanceModel,
  node: GraphNode,
  trans: TranslationBundle
): { label: string; value: React.ReactNode; title?: string }[] {
  const name = model.otherOf(node);
  return name === null
    ? []
    : [
        {
          label: trans.__('Workspace'),
          value: name,
          title:
            model.placeOf(node) ??
            trans.__('It lies outside of what this server shows.')
        }
      ];
}

function Chain(props: {
  shown: IShownNode;
  model: ProvenanceModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { shown, model, trans } = props;
  return (
    <>
      <p>
        {trans.__('Each of these runs read only what the one before it wrote.')}
      </p>
      <div className="jp-DotscienceSheet-buttons">
        <TextButton onClick={() => model.expandChain(shown.id)}>
          {trans.__('Show All')}
        </TextButton>
      </div>
    </>
  );
}

/**
 * Which part of the graph is looked at from here.
 */
function Lineage(props: {
  shown: IShownNode;
  model: ProvenanceModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { shown, model, trans } = props;
  const { id } = shown;
  const { focus } = model;
  const directions: [Direction, string][] = [
    ['up', trans.__('What it was made from')],
    ['down', trans.__('What came of it')],
    ['both', trans.__('Both')]
  ];
  return (
    <>
      <h3>{trans.__('Look at its lineage')}</h3>
      <div className="jp-DotscienceSheet-buttons">
        {directions.map(([direction, label]) => {
          const isOn = focus?.id === id && focus.direction === direction;
          return (
            <TextButton
              key={direction}
              pressed={isOn}
              onClick={() => model.setFocus(isOn ? null : { id, direction })}
            >
              {label}
            </TextButton>
          );
        })}
        <TextButton
          title={trans.__('Read the graph anew, from here')}
          onClick={() => void model.setQuery({ start: id })}
        >
          {trans.__('Start Here')}
        </TextButton>
      </div>
      <h3>{trans.__('Fold')}</h3>
      <div className="jp-DotscienceSheet-buttons">
        {(['up', 'down'] as const).map(direction => (
          <React.Fragment key={direction}>
            <TextButton
              pressed={model.isFolded(id, direction)}
              onClick={() => model.toggleFolded(id, direction)}
            >
              {direction === 'up'
                ? trans.__('Fold its origins away')
                : trans.__('Fold away what came of it')}
            </TextButton>
            {!model.isFolded(id, direction) &&
              (direction === 'up' ? shown.moreUp : shown.moreDown) > 0 && (
                <TextButton onClick={() => void model.showMore(id, direction)}>
                  {moreLabel(
                    direction === 'up' ? shown.moreUp : shown.moreDown,
                    direction,
                    trans
                  )}
                </TextButton>
              )}
          </React.Fragment>
        ))}
      </div>
    </>
  );
}

function CompareButton(props: {
  shown: IShownNode;
  model: ProvenanceModel;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { shown, model, trans } = props;
  if (shown.node.workspace !== null) {
    return null; // lineages are compared within one workspace
  }
  return (
    <TextButton
      title={trans.__('Show what differs between two lineages')}
      pressed={model.comparing === shown.id}
      onClick={() =>
        model.compareWith(model.comparing === shown.id ? null : shown.id)
      }
    >
      {trans.__('Compare Lineage with…')}
    </TextButton>
  );
}

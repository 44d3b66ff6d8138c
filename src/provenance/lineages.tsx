// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomModel } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ApiError } from '../api/client';
import type {
  GraphNode,
  LineageChange,
  LineageComparison,
  ValueChange
} from '../api/schema';
import { compareIcon } from '../icons';
import { CopyLink } from '../links/button';
import {
  DataTable,
  Empty,
  ErrorBoundary,
  Failure,
  LinkButton,
  Section,
  Waiting
} from '../run/components';
import { NOTHING, formatValue, shortId } from '../run/format';
import { asApiError } from '../request';
import { TabContent } from '../tab/content';
import type { ProvenanceClient } from './client';
import { filePath, nodeSubtitle, nodeTitle } from './words';

/**
 * What changed between the lineages of two things.
 */
export class LineagesModel extends VDomModel {
  /**
   * Create a model; {@link load} reads the comparison.
   */
  constructor(
    private readonly client: ProvenanceClient,
    readonly a: string,
    readonly b: string
  ) {
    super();
  }

  /** A contents path in the workspace. */
  get workspace(): string {
    return this.client.workspace;
  }

  /** The comparison, once it has been read. */
  get comparison(): LineageComparison | null {
    return this._comparison;
  }

  /** Why it could not be read, if the last try failed. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Read the comparison. */
  async load(): Promise<void> {
    this._error = null;
    this.stateChanged.emit();
    try {
      const comparison = await this.client.compare(this.a, this.b);
      if (this.isDisposed) {
        return;
      }
      this._comparison = comparison;
    } catch (reason) {
      if (this.isDisposed) {
        return;
      }
      this._error = asApiError(reason);
    }
    this.stateChanged.emit();
  }

  private _comparison: LineageComparison | null = null;
  private _error: ApiError | null = null;
}

/**
 * What a comparison of lineages can do elsewhere.
 */
export interface ILineagesActions {
  /** Open a file as it was in a commit, read-only. */
  openFile(commit: string, path: string): void;

  /** Show the graph from a node. */
  openProvenance(start: string): void;

  /** Copy a link to the comparison. */
  copyLink(): void;
}

/**
 * The content of the tab of such a comparison.
 */
export class LineagesWidget extends TabContent<LineagesModel> {
  /**
   * Create the content of a tab.
   */
  constructor(
    model: LineagesModel,
    private readonly actions: ILineagesActions,
    private readonly trans: TranslationBundle
  ) {
    super({
      model,
      className: 'jp-DotscienceLineages',
      icon: compareIcon,
      describe: () => ({
        label: trans.__(
          'Lineages of %1 and %2',
          sideName(model.a),
          sideName(model.b)
        ),
        caption: trans.__('A: %1\nB: %2', model.a, model.b)
      })
    });
  }

  /**
   * Render the comparison.
   */
  protected render(): JSX.Element {
    return (
      <LineagesView
        model={this.model}
        actions={this.actions}
        trans={this.trans}
      />
    );
  }
}

/**
 * What changed between two lineages.
 */
export function LineagesView(props: {
  model: LineagesModel;
  actions: ILineagesActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, actions, trans } = props;
  const { comparison, error } = model;
  if (!comparison) {
    return error ? (
      <Failure
        message={trans.__(
          'The lineages could not be compared: %1',
          error.message
        )}
        details={error.details}
        trans={trans}
        onRetry={() => void model.load()}
      />
    ) : (
      <Waiting>{trans.__('Comparing the lineages…')}</Waiting>
    );
  }
  const sides = { a: comparison.a, b: comparison.b };
  const nothing = [
    comparison.files,
    comparison.parameters,
    comparison.programs,
    comparison.environments,
    comparison.only_a,
    comparison.only_b
  ].every(part => part.length === 0);
  return (
    <ErrorBoundary
      message={trans.__(
        'The comparison cannot be shown; the records are safe. Close the tab and open it again.'
      )}
    >
      <h1>{trans.__('What differs between two lineages')}</h1>
      <dl className="jp-DotscienceFacts">
        {(['a', 'b'] as const).map(side => (
          <div key={side}>
            <dt>{side === 'a' ? trans.__('A') : trans.__('B')}</dt>
            <dd>
              <LinkButton
                title={trans.__('Show its provenance')}
                onClick={() => actions.openProvenance(sides[side])}
              >
                {sides[side]}
              </LinkButton>
            </dd>
          </div>
        ))}
      </dl>
      <CopyLink onClick={() => actions.copyLink()} trans={trans} />
      {nothing && (
        <Empty>
          {trans.__(
            'Nothing differs: both came from the same files, programs, parameters and environments.'
          )}
        </Empty>
      )}
      <Versions
        title={trans.__('Files that differ')}
        changes={comparison.files}
        actions={actions}
        trans={trans}
      />
      <Values
        title={trans.__('Parameters and metrics that differ')}
        changes={comparison.parameters}
        trans={trans}
      />
      <Versions
        title={trans.__('Notebooks and scripts that differ')}
        changes={comparison.programs}
        actions={actions}
        trans={trans}
      />
      <Values
        title={trans.__('Packages and machines that differ')}
        changes={comparison.environments}
        trans={trans}
      />
      <Nodes
        title={trans.__('Only in the lineage of A')}
        nodes={comparison.only_a}
        actions={actions}
        trans={trans}
      />
      <Nodes
        title={trans.__('Only in the lineage of B')}
        nodes={comparison.only_b}
        actions={actions}
        trans={trans}
      />
    </ErrorBoundary>
  );
}

function Versions(props: {
  title: string;
  changes: LineageChange[];
  actions: ILineagesActions;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { title, changes, actions, trans } = props;
  if (changes.length === 0) {
    return null;
  }
  const version = (
    path: string,
    commit: string | null,
    digest: string | null
  ): React.ReactNode =>
    commit ? (
      <LinkButton
        title={trans.__(
          'Open %1 as it was, read-only (commit %2)',
          path,
          shortId(commit)
        )}
        onClick={() => actions.openFile(commit, path)}
      >
        {shortId(commit)}
      </LinkButton>
    ) : digest ? (
      <code className="jp-DotscienceId" title={digest}>
        {shortId(digest)}
      </code>
    ) : (
      NOTHING
    );
  return (
    <Section title={title} count={changes.length}>
      <DataTable
        caption={title}
        rows={changes}
        rowKey={change => JSON.stringify([change.path, change.a, change.b])}
        columns={[
          {
            id: 'path',
            label: trans.__('Path'),
            render: ({ path }) => path,
            sortBy: ({ path }) => path
          },
          {
            id: 'a',
            label: trans.__('Version in A'),
            render: ({ path, a, a_digest }) => version(path, a, a_digest)
          },
          {
            id: 'b',
            label: trans.__('Version in B'),
            render: ({ path, b, b_digest }) => version(path, b, b_digest)
          }
        ]}
        trans={trans}
      />
    </Section>
  );
}

function Values(props: {
  title: string;
  changes: ValueChange[];
  trans: TranslationBundle;
}): JSX.Element | null {
  const { title, changes, trans } = props;
  if (changes.length === 0) {
    return null;
  }
  return (
    <Section title={title} count={changes.length}>
      <DataTable
        caption={title}
        rows={changes}
        rowKey={({ run_file, name }) => JSON.stringify([run_file, name])}
        columns={[
          {
            id: 'name',
            label: trans.__('Name'),
            render: ({ name }) => name,
            sortBy: ({ name }) => name
          },
          {
            id: 'file',
            label: trans.__('Notebook or script'),
            render: ({ run_file }) => run_file ?? NOTHING,
            sortBy: ({ run_file }) => run_file
          },
          {
            id: 'a',
            label: trans.__('A'),
            render: ({ a }) => formatValue(a),
            sortBy: ({ a }) => a
          },
          {
            id: 'b',
            label: trans.__('B'),
            render: ({ b }) => formatValue(b),
            sortBy: ({ b }) => b
          }
        ]}
        trans={trans}
      />
    </Section>
  );
}

function Nodes(props: {
  title: string;
  nodes: GraphNode[];
  actions: ILineagesActions;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { title, nodes, actions, trans } = props;
  if (nodes.length === 0) {
    return null;
  }
  return (
    <Section title={title} count={nodes.length}>
      <DataTable
        caption={title}
        rows={nodes}
        rowKey={({ id }) => id}
        columns={[
          {
            id: 'title',
            label: trans.__('Run or file'),
            render: node => (
              <LinkButton
                title={trans.__('Show its provenance')}
                onClick={() => actions.openProvenance(node.id)}
              >
                {nodeTitle(node, trans)}
              </LinkButton>
            ),
            sortBy: node => nodeTitle(node, trans)
          },
          {
            id: 'facts',
            label: trans.__('Which'),
            render: node => nodeSubtitle(node, trans)
          }
        ]}
        trans={trans}
      />
    </Section>
  );
}

/**
 * A short name for one side.
 */
function sideName(side: string): string {
  const [, kind, rest] = /^(\w+):(.*)$/s.exec(side) ?? ['', '', side];
  if (kind === 'file') {
    return filePath(rest).split('/').pop() ?? rest;
  }
  return kind === 'run' || kind === 'digest' ? shortId(rest) : rest;
}

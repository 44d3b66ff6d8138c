// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { InputGroup } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Commit } from '../api/schema';
import { CommandIDs } from '../commands';
import { useDebounced } from '../panel/hooks';
import {
  Empty,
  Facts,
  Failure,
  LinkButton,
  TextButton,
  Waiting
} from '../run/components';
import { NOTHING, firstLine, formatTime, shortId } from '../run/format';
import { commitActions } from './actions';
import { CommitList, countsOf } from './list';
import type { CommitsModel } from './model';

/** How long typing must pause before the server is asked, in ms. */
const TYPING = 250;

/** How many runs of a commit are named. */
const MAX_RUNS = 20;

/**
 * What the list of commits works with.
 */
export interface ICommitsProps {
  /** The commits. */
  model: CommitsModel;

  /** The application's commands; every action is one. */
  commands: CommandRegistry;

  /** The translations. */
  trans: TranslationBundle;

  /** Show what can be done with a commit, at a place on the page. */
  onMenu: (commit: Commit, x: number, y: number) => void;
}

/**
 * The commits of a workspace, and what there is of the chosen one.
 */
export function CommitsView(props: ICommitsProps): JSX.Element {
  const { commands, model, trans } = props;
  const [search, setSearch] = React.useState(model.search);
  useDebounced(search, TYPING, value => void model.find(value));
  const failure = model.error && (
    <Failure
      message={trans.__(
        'The commits could not be read: %1',
        model.error.message
      )}
      details={model.error.details}
      trans={trans}
      onRetry={() => void model.load()}
    />
  );
  if (!model.isReady) {
    return <Waiting>{trans.__('Reading the commits…')}</Waiting>;
  }
  return (
    <>
      <div
        className="jp-DotscienceCommits-header"
        role="search"
        aria-label={trans.__('Find commits')}
      >
        <InputGroup
          type="search"
          placeholder={trans.__('Words of a message, an author, or an id')}
          aria-label={trans.__('Search commits')}
          value={search}
          onChange={event => setSearch(event.target.value)}
        />
        <span role="status">
          {trans._n('%1 commit', '%1 commits', model.total)}
        </span>
      </div>
      {failure}
      <div className="jp-DotscienceCommits-body">
        {model.total > 0 ? (
          <CommitList
            model={model}
            trans={trans}
            onOpen={({ id }) =>
              void commands.execute(CommandIDs.browseCommit, {
                commit: id,
                workspace: model.workspace
              })
            }
            onMenu={props.onMenu}
          />
        ) : (
          !failure && (
            <Empty>
              {model.search
                ? trans.__('No commit matches.')
                : trans.__(
                    'There is no commit yet. The first one is made with the first run, or by the button Commit of the panel.'
                  )}
            </Empty>
          )
        )}
        {model.selected && (
          <Detail {...props} key={model.selected.id} commit={model.selected} />
        )}
      </div>
    </>
  );
}

/**
 * The chosen commit, and what can be done with it.
 */
function Detail(props: ICommitsProps & { commit: Commit }): JSX.Element {
  const { commands, commit, model, trans } = props;
  const { workspace } = model;
  const id = React.useId();
  const first = firstLine(commit.message);
  const rest = commit.message.trim().slice(first.length).trim();
  const more = commit.runs.length - MAX_RUNS;
  return (
    <section
      className="jp-DotscienceCommits-detail"
      role="region"
      aria-labelledby={id}
    >
      <h2 id={id}>{first || trans.__('No message')}</h2>
      {rest && <p className="jp-DotscienceCommits-rest">{rest}</p>}
      <div
        className="jp-DotscienceCommits-actions"
        role="group"
        aria-label={trans.__('Actions on commit %1', shortId(commit.id))}
      >
        {commitActions(commands, commit, workspace).map(({ command, args }) => (
          <TextButton
            key={command}
            title={commands.caption(command, args)}
            onClick={() => void commands.execute(command, args)}
          >
            {commands.label(command, args)}
          </TextButton>
        ))}
      </div>
      <Facts
        facts={[
          { label: trans.__('Time'), value: formatTime(commit.created) },
          { label: trans.__('Author'), value: commit.author || NOTHING },
          {
            label: trans.__('Content'),
            value: countsOf(commit, trans) || NOTHING
          },
          {
            label: trans.__('Commit'),
            value: <code className="jp-DotscienceId">{commit.id}</code>
          },
          {
            label: trans.__('Made from'),
            value:
              commit.parents.length === 0
                ? NOTHING
                : commit.parents.map(parent => (
                    <LinkButton
                      key={parent}
                      title={trans.__('Choose commit %1', parent)}
                      onClick={() => void model.choose(parent)}
                    >
                      {shortId(parent)}
                    </LinkButton>
                  ))
          },
          {
            label: trans.__('Runs'),
            value:
              commit.runs.length === 0 ? (
                NOTHING
              ) : (
                <span className="jp-DotscienceCommits-runs">
                  {commit.runs.slice(0, MAX_RUNS).map(run => (
                    <LinkButton
                      key={run}
                      title={trans.__('Open run %1', run)}
                      onClick={() =>
                        void commands.execute(CommandIDs.openRun, {
                          run,
                          workspace
                        })
                      }
                    >
                      {shortId(run)}
                    </LinkButton>
                  ))}
                  {more > 0 && trans._n('and one more', 'and %1 more', more)}
                </span>
              )
          }
        ]}
      />
    </section>
  );
}

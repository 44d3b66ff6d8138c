// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { FileVersion } from '../api/schema';
import { CopyLink } from '../links/button';
import {
  Empty,
  Failure,
  LinkButton,
  TextButton,
  Waiting
} from '../run/components';
import {
  firstLine,
  formatBytes,
  formatTime,
  runTitle,
  shortId
} from '../run/format';
import type { HistoryModel } from './model';

/**
 * What can be done with versions elsewhere.
 */
export interface IHistoryActions {
  /** Open a version, read-only. */
  open: (version: FileVersion) => void;

  /** Show how two moments of the file differ; null is now. */
  compare: (older: FileVersion, newer: FileVersion | null) => void;

  /** Copy a version to work on it. */
  scratchCopy: (version: FileVersion) => void;

  /** Put a version in the place of the present file. */
  bringBack: (version: FileVersion) => void;

  /** Show all files of a version's commit. */
  browse: (version: FileVersion) => void;

  /** Open a run's tab. */
  openRun: (run: string) => void;

  /** Copy a link to the history. */
  copyLink: () => void;
}

/**
 * The versions of a file on a line, the newest on top.
 */
export function HistoryView(props: {
  model: HistoryModel;
  actions: IHistoryActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, actions, trans } = props;
  const { history, versions, error } = model;
  const failure = error && (
    <Failure
      message={error.message}
      details={error.details}
      trans={trans}
      onRetry={() => void model.load()}
    />
  );
  if (!history) {
    return (
      <>
        {failure ?? (
          <Waiting>{trans.__('Reading the versions of the file…')}</Waiting>
        )}
      </>
    );
  }
  return (
    <>
      <header className="jp-DotscienceHistory-header">
        <h1>{model.file}</h1>
        <p>
          {trans._n(
            'One version, newest first',
            '%1 versions, newest first',
            history.total
          )}
        </p>
        <CopyLink onClick={() => actions.copyLink()} trans={trans} />
      </header>
      {failure}
      <ol
        className="jp-DotscienceHistory-line"
        aria-label={trans.__('Versions of %1', model.file)}
      >
        {history.changed && (
          <Now model={model} actions={actions} trans={trans} />
        )}
        {versions.map((version, index) => (
          <Version
            key={version.commit}
            version={version}
            older={versions[index + 1] ?? null}
            isPresent={index === 0 && !history.changed}
            file={model.file}
            actions={actions}
            trans={trans}
          />
        ))}
      </ol>
      {versions.length === 0 && (
        <Empty>
          {trans.__(
            'No commit has this file yet. Its first version is recorded with the next commit.'
          )}
        </Empty>
      )}
      {model.hasMore && (
        <TextButton
          disabled={model.isLoading}
          onClick={() => void model.more()}
        >
          {trans.__('Show older versions')}
        </TextButton>
      )}
    </>
  );
}

/**
 * What is in the folder and in no commit.
 */
function Now(props: {
  model: HistoryModel;
  actions: IHistoryActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, actions, trans } = props;
  const newest = model.versions.find(version => version.change !== 'removed');
  return (
    <li className="jp-DotscienceHistory-version jp-mod-now">
      <div className="jp-DotscienceHistory-title">
        <strong>{trans.__('Now')}</strong>
        <span className="jp-Dotscience-badge jp-mod-warn">
          {model.history?.present === null
            ? trans.__('not there')
            : trans.__('not committed')}
        </span>
      </div>
      {newest && model.history?.present !== null && (
        <div className="jp-DotscienceHistory-actions">
          <LinkButton
            title={trans.__(
              'Show how the file differs from its newest version'
            )}
            onClick={() => actions.compare(newest, null)}
          >
            {trans.__('What changed')}
          </LinkButton>
        </div>
      )}
    </li>
  );
}

/**
 * One version.
 */
function Version(props: {
  version: FileVersion;
  older: FileVersion | null;
  isPresent: boolean;
  file: string;
  actions: IHistoryActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { version, older, isPresent, file, actions, trans } = props;
  const when = formatTime(version.created);
  const message = firstLine(version.message);
  const isFile = version.change !== 'removed';
  const action = (
    label: string,
    title: string,
    onClick: () => void
  ): JSX.Element => (
    <LinkButton title={title} onClick={onClick}>
      {label}
      <span className="jp-Dotscience-visuallyHidden"> ({when})</span>
    </LinkButton>
  );
  return (
    <li
      className={`jp-DotscienceHistory-version jp-mod-${version.change}`}
      data-commit={version.commit}
    >
      <div className="jp-DotscienceHistory-title">
        <time dateTime={version.created}>{when}</time>
        <span className="jp-Dotscience-badge">
          {changeLabel(version, trans)}
        </span>
        {isPresent && (
          <span className="jp-Dotscience-badge">{trans.__('as now')}</span>
        )}
        {version.size !== null && (
          <span className="jp-DotscienceHistory-size">
            {formatBytes(version.size)}
          </span>
        )}
        <code className="jp-DotscienceId" title={version.commit}>
          {shortId(version.commit)}
        </code>
      </div>
      <p className="jp-DotscienceHistory-message" title={version.message}>
        {message || trans.__('No message')}
        <span className="jp-DotscienceHistory-author">{version.author}</span>
      </p>
      {version.path !== file && (
        <p className="jp-DotscienceHistory-path">
          {trans.__('Called %1 then', version.path)}
        </p>
      )}
      {version.runs.length > 0 && (
        <p className="jp-DotscienceHistory-runs">
          {version.runs.map(run => (
            <LinkButton
              key={run.id}
              title={trans.__('Open run %1', run.id)}
              onClick={() => actions.openRun(run.id)}
            >
              {run.status === 'failed'
                ? trans.__('Run (failed): %1', runTitle(run, trans))
                : trans.__('Run: %1', runTitle(run, trans))}
            </LinkButton>
          ))}
          {version.total_runs > version.runs.length && (
            <span>
              {trans._n(
                'and one more',
                'and %1 more',
                version.total_runs - version.runs.length
              )}
            </span>
          )}
        </p>
      )}
      <div className="jp-DotscienceHistory-actions">
        {isFile &&
          action(
            trans.__('Open'),
            trans.__('Open the file as it was then, read-only'),
            () => actions.open(version)
          )}
        {older !== null &&
          action(
            trans.__('What changed'),
            trans.__('Show how it differs from the version before'),
            () => actions.compare(older, version)
          )}
        {isFile &&
          !isPresent &&
          action(
            trans.__('Compare with now'),
            trans.__('Show how it differs from the file as it is now'),
            () => actions.compare(version, null)
          )}
        {isFile &&
          action(
            trans.__('Scratch copy'),
            trans.__(
              'Copy it beside the present file, under a new name, to work on it'
            ),
            () => actions.scratchCopy(version)
          )}
        {isFile &&
          !isPresent &&
          action(
            trans.__('Bring back…'),
            trans.__(
              'Put it in the place of the present file; shows the difference first'
            ),
            () => actions.bringBack(version)
          )}
        {action(
          trans.__('All files'),
          trans.__('Show all files as they were then in a file browser'),
          () => actions.browse(version)
        )}
      </div>
    </li>
  );
}

function changeLabel(version: FileVersion, trans: TranslationBundle): string {
  switch (version.change) {
    case 'first':
      return trans.__('first commit');
    case 'added':
      return trans.__('added');
    case 'removed':
      return trans.__('removed');
    case 'renamed':
      return trans.__('renamed');
    default:
      return trans.__('changed');
  }
}

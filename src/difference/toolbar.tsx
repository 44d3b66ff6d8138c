// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { TextButton } from '../run/components';
import { ChangeLetter } from './filelist';
import type { DifferenceModel } from './model';
import type { DifferenceOptions, IDifferenceOptions } from './options';
import { NOW } from './reader';
import type { IDifferenceActions } from './view';

/**
 * The chosen file's name, what can be done with it, and how it is shown.
 */
export function FileToolbar(props: {
  model: DifferenceModel;
  options: DifferenceOptions;
  actions: IDifferenceActions;
  go: (forward: boolean) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, options, actions, go, trans } = props;
  const { file, path, content } = model;
  const { openHistory } = actions;
  const shown = model.options;
  const isNotebook = content !== null && content.notebook !== null;
  const hasRows = isNotebook || (content !== null && content.text !== null);
  const hasChanges = hasRows || (content !== null && content.table !== null);
  const sides = model.comparison;
  const toggle = (
    name: keyof IDifferenceOptions,
    label: string,
    title: string
  ): JSX.Element => (
    <TextButton
      title={title}
      pressed={shown[name]}
      onClick={() => options.set({ [name]: !shown[name] })}
    >
      {label}
    </TextButton>
  );
  const oldPath = file?.old_path ?? path ?? '';
  return (
    <div className="jp-DotscienceDifference-toolbar">
      <h2 title={path ?? undefined}>
        {file && <ChangeLetter change={file.change} trans={trans} />}{' '}
        {file?.old_path && file.old_path !== file.path
          ? trans.__('%1 → %2', file.old_path, file.path)
          : path}
      </h2>
      <div
        className="jp-DotscienceDifference-tools"
        role="group"
        aria-label={trans.__('The file')}
      >
        {sides && file && file.change !== 'added' && (
          <TextButton
            title={trans.__('Open %1 as it was before', oldPath)}
            onClick={() => actions.openFile(sides.old.ref, oldPath)}
          >
            {trans.__('Open before')}
          </TextButton>
        )}
        {sides && file && file.change !== 'removed' && (
          <TextButton
            title={
              sides.new.ref === NOW
                ? trans.__('Open %1', file.path)
                : trans.__('Open %1 as it was after', file.path)
            }
            onClick={() => actions.openFile(sides.new.ref, file.path)}
          >
            {trans.__('Open after')}
          </TextButton>
        )}
        {openHistory && file && (
          <TextButton
            title={trans.__('Show the versions of %1', file.path)}
            onClick={() => openHistory(file.path)}
          >
            {trans.__('History')}
          </TextButton>
        )}
        {model.isComparing && (
          <TextButton
            title={trans.__('Give up comparing the file')}
            onClick={() => model.cancel()}
          >
            {trans.__('Cancel')}
          </TextButton>
        )}
      </div>
      {hasChanges && (
        <div
          className="jp-DotscienceDifference-tools"
          role="group"
          aria-label={trans.__('How it is shown')}
        >
          <TextButton
            title={trans.__('Previous change (p, or Alt+Up)')}
            onClick={() => go(false)}
          >
            {trans.__('↑ Previous')}
          </TextButton>
          <TextButton
            title={trans.__('Next change (n, or Alt+Down)')}
            onClick={() => go(true)}
          >
            {trans.__('↓ Next')}
          </TextButton>
          {isNotebook && (
            <>
              {toggle(
                'outputs',
                trans.__('Outputs'),
                trans.__('Compare the outputs of cells')
              )}
              {toggle(
                'metadata',
                trans.__('Metadata'),
                trans.__('Compare the metadata of cells and of the notebook')
              )}
              {toggle(
                'counts',
                trans.__('Counts'),
                trans.__('Compare execution counts')
              )}
            </>
          )}
          {hasRows && (
            <>
              {toggle(
                'sideBySide',
                trans.__('Side by side'),
                trans.__('Show old and new side by side')
              )}
              {toggle('wrap', trans.__('Wrap'), trans.__('Break long lines'))}
            </>
          )}
        </div>
      )}
    </div>
  );
}

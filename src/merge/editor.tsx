// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IEditorServices } from '@jupyterlab/codeeditor';
import { CodeEditor, CodeEditorWrapper } from '@jupyterlab/codeeditor';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { TextButton } from '../run/components';

/**
 * An editor for the result of a conflict.
 */
export function ResultEditor(props: {
  text: string;
  mimeType: string;
  services: IEditorServices;
  isBusy: boolean;
  onSave: (text: string) => void;
  onCancel: () => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { text, mimeType, services, isBusy, onSave, onCancel, trans } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const model = React.useRef<CodeEditor.Model | null>(null);
  const label = trans.__('Result');
  React.useLayoutEffect(() => {
    const node = host.current;
    if (!node) {
      return;
    }
    const made = new CodeEditor.Model({ mimeType });
    made.sharedModel.setSource(text);
    const wrapper = new CodeEditorWrapper({
      factory: services.factoryService.newInlineEditor,
      model: made,
      editorOptions: { config: { lineWrap: true } }
    });
    Widget.attach(wrapper, node);
    node.querySelector('[role=textbox]')?.setAttribute('aria-label', label);
    wrapper.editor.focus();
    model.current = made;
    return () => {
      model.current = null;
      wrapper.dispose();
      made.dispose();
    };
    // what is typed stays while the merge is drawn anew
  }, [services, mimeType]);
  return (
    <div className="jp-DotscienceConflict-editor">
      <h4>{label}</h4>
      <div
        ref={host}
        // commands of notebooks and tabs leave the keys to the editor
        data-lm-suppress-shortcuts="true"
        onKeyDown={event => event.stopPropagation()}
      />
      <div className="jp-DotscienceConflict-choices">
        <TextButton
          disabled={isBusy}
          onClick={() => onSave(model.current?.sharedModel.getSource() ?? text)}
        >
          {trans.__('Use this result')}
        </TextButton>
        <TextButton onClick={onCancel}>{trans.__('Stop editing')}</TextButton>
      </div>
    </div>
  );
}

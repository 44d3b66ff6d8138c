// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';

interface IProps {
  trans: TranslationBundle;
  children: React.ReactNode;
}

interface IState {
  error: Error | null;
}

/**
 * Shows a message in place of a part of the page that failed to draw.
 */
export class ErrorBoundary extends React.Component<IProps, IState> {
  static getDerivedStateFromError(error: Error): IState {
    return { error };
  }

  state: IState = { error: null };

  componentDidCatch(error: Error, info: React.ErrorInfo): void {
    console.error('dotscience-jupyter', error, info.componentStack);
  }

  render(): React.ReactNode {
    const { trans } = this.props;
    const { error } = this.state;
    if (error === null) {
      return this.props.children;
    }
    return (
      <div className="jp-DotsciencePanel-message" role="alert">
        <h3>{trans.__('This could not be shown')}</h3>
        <p>{trans.__('Your runs and files are not affected.')}</p>
        <p className="jp-DotsciencePanel-details">{error.message}</p>
        <Button
          className="jp-mod-styled"
          onClick={() => this.setState({ error: null })}
        >
          {trans.__('Retry')}
        </Button>
      </div>
    );
  }
}

import { Component, h, type ComponentChild, type FunctionComponent } from "preact";

/** A component that is drawn anew only when its properties are not the same. */
export function memo<P extends object>(
  inner: FunctionComponent<P>,
  same: (a: P, b: P) => boolean,
): new () => Component<P> {
  return class extends Component<P> {
    shouldComponentUpdate(next: P) {
      return !same(this.props as P, next);
    }
    render(props: P): ComponentChild {
      return h(inner, props);
    }
  };
}

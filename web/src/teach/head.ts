/** What was learned: a last layer for the visitor's own tags, and when a photo shows none of them. */

/** When a photo shows none of the tags, as `toolchain/records/none_of_these.py` explains it. */
export interface TaughtRule {
  /** A photo whose greatest cosine is below it shows none of the tags. */
  readonly threshold: number;
  /** Which features are compared, ascending. */
  readonly coordinates: Uint16Array<ArrayBuffer>;
  /** The tags' centres, tag by tag. */
  readonly centres: Int8Array<ArrayBuffer>;
}

/** The last layer. */
export interface TaughtHead {
  /** Tag by tag, each as many as there are features. */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly biases: Float32Array<ArrayBuffer>;
  /** Null as long as no tag has two photos. */
  readonly rule: TaughtRule | null;
}

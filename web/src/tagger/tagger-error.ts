/** The one kind of error that the component throws by itself. */

/** Why a model cannot be loaded, or a photo not be tagged. */
export class TaggerError extends Error {
  override readonly name = 'TaggerError';
  readonly code: 'model' | 'photo' | 'closed';

  constructor(code: TaggerError['code'], sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.code = code;
  }
}

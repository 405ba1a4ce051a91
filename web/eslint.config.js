import tseslint from 'typescript-eslint';

// typescript-eslint needs TypeScript's compiler API, which TypeScript 7 no longer has. So the
// package `typescript` is TypeScript 6, and `tsc` comes from `@typescript/native`, which is 7.
export default tseslint.config(
  { ignores: ['dist/', 'dist.part/', 'eslint.config.js', 'build/schemas.js'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        project: ['.', 'src/page', 'src/worker', 'src/node', 'src/tagger', 'src/teach'].map(
          (folder) => `${folder}/tsconfig.json`,
        ),
        tsconfigRootDir: import.meta.dirname,
      },
    },
  },
);

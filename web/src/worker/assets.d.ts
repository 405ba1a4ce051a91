/** Vite answers such an import with the address of the file in the built page. */
declare module '*?url' {
  const url: string;
  export default url;
}

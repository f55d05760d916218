import { defineConfig } from "vite";

// The build is committed and embedded: names without hashes keep its history
// readable, and nothing is inlined, because the page may run no inline script.
export default defineConfig({
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: false,
    target: "es2022",
    rollupOptions: {
      output: {
        entryFileNames: "page.js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
      },
    },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8417" } },
});

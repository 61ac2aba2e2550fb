/// Writing animations: GIF89a with one palette. Every picture after the first contains only the
/// rectangle that changed. Unchanged pixels in it are transparent, which compresses well.
#include "view/render.h"

#ifdef CELSIUS_WITH_GIF
#include <gif_lib.h>
#include <stdlib.h>
#include <string.h>

struct CeliGif {
  GifFileType *file;
  CeliText bytes;
  int size, transparent; ///< transparent: index of the transparent color
  uint8_t *shown;        ///< (size, size) the present picture
  uint8_t *line;         ///< (size,) scratch
  bool any;
};

static CelStatus fail_gif(int error) {
  const char *words = GifErrorString(error);
  return cel_fail(CEL_E_MEMORY, "animation: giflib reports: %s", words ? words : "unknown error");
}

static int add_bytes(GifFileType *file, const GifByteType *data, int n) {
  CeliText *bytes = file->UserData;
  celi_text_add(bytes, (const char *)data, (size_t)n);
  return bytes->failed ? 0 : n;
}

/// Makes a color map of 256 entries. Entries after the n colors are black.
static ColorMapObject *make_map(const uint32_t *colors, int n) {
  ColorMapObject *map = GifMakeMapObject(256, NULL);
  for (int i = 0; map && i < 256; i++) {
    const uint32_t c = i < n ? colors[i] : 0;
    map->Colors[i] = (GifColorType){(GifByteType)(c >> 16 & 255), (GifByteType)(c >> 8 & 255),
                                    (GifByteType)(c & 255)};
  }
  return map;
}

/// Writes the header and Netscape's extension for endless repetition.
static CelStatus put_header(CeliGif *gif, const ColorMapObject *map) {
  EGifSetGifVersion(gif->file, true);
  if (EGifPutScreenDesc(gif->file, gif->size, gif->size, 8, 0, map) == GIF_ERROR ||
      EGifPutExtensionLeader(gif->file, APPLICATION_EXT_FUNC_CODE) == GIF_ERROR ||
      EGifPutExtensionBlock(gif->file, 11, "NETSCAPE2.0") == GIF_ERROR ||
      EGifPutExtensionBlock(gif->file, 3, (uint8_t[]){1, 0, 0}) == GIF_ERROR ||
      EGifPutExtensionTrailer(gif->file) == GIF_ERROR)
    return fail_gif(gif->file->Error);
  return CEL_OK;
}

static CelStatus open_gif(CeliGif *gif, const uint32_t *colors, int n_colors) {
  const size_t size = (size_t)gif->size;
  int error = 0;
  CELI_TRY(celi_alloc(&gif->shown, size * size, 1, "a picture"));
  CELI_TRY(celi_alloc(&gif->line, size, 1, "a line"));
  gif->file = EGifOpen(&gif->bytes, add_bytes, &error);
  if (!gif->file) return fail_gif(error);
  ColorMapObject *map = make_map(colors, n_colors);
  if (!map) return fail_gif(E_GIF_ERR_NOT_ENOUGH_MEM);
  const CelStatus status = put_header(gif, map);
  GifFreeMapObject(map);
  return status;
}

CelStatus celi_gif_open(CeliGif **out, int size, const uint32_t *colors, int n_colors) {
  CeliGif *gif;
  CEL_ASSERT(n_colors <= CELI_PALETTE_COLORS);
  *out = NULL;
  CELI_TRY(celi_alloc(&gif, 1, sizeof *gif, "an animation"));
  *gif = (CeliGif){.size = size, .transparent = CELI_PALETTE_COLORS};
  const CelStatus status = open_gif(gif, colors, n_colors);
  if (status == CEL_OK)
    *out = gif;
  else
    celi_gif_free(gif);
  return status;
}

/// A rectangle of pixels. The ends are exclusive.
typedef struct Patch {
  int left, top, right, bottom;
} Patch;

/// The smallest rectangle with all changes, or one pixel if nothing changed.
static Patch find_changes(const CeliGif *gif, const uint8_t *picture) {
  const int n = gif->size;
  Patch p = {n, n, 0, 0};
  for (int y = 0; y < n; y++) {
    const uint8_t *now = picture + (size_t)y * (size_t)n,
                  *then = gif->shown + (size_t)y * (size_t)n;
    if (memcmp(now, then, (size_t)n) == 0) continue;
    if (y < p.top) p.top = y;
    p.bottom = y + 1;
    int x = 0;
    while (now[x] == then[x]) x++;
    if (x < p.left) p.left = x;
    x = n;
    while (now[x - 1] == then[x - 1]) x--;
    if (x > p.right) p.right = x;
  }
  return p.bottom ? p : (Patch){0, 0, 1, 1};
}

/// Writes duration, transparent color, and that the picture stays below the next one.
static CelStatus put_control(CeliGif *gif, int delay) {
  const GraphicsControlBlock control = {.DisposalMode = DISPOSE_DO_NOT,
                                        .DelayTime = delay,
                                        .TransparentColor =
                                            gif->any ? gif->transparent : NO_TRANSPARENT_COLOR};
  GifByteType bytes[4];
  EGifGCBToExtension(&control, bytes);
  if (EGifPutExtension(gif->file, GRAPHICS_EXT_FUNC_CODE, sizeof bytes, bytes) == GIF_ERROR)
    return fail_gif(gif->file->Error);
  return CEL_OK;
}

CelStatus celi_gif_add(CeliGif *gif, const uint8_t *picture, int delay) {
  const int n = gif->size;
  const Patch p = gif->any ? find_changes(gif, picture) : (Patch){0, 0, n, n};
  CELI_TRY(put_control(gif, delay));
  if (EGifPutImageDesc(gif->file, p.left, p.top, p.right - p.left, p.bottom - p.top, false, NULL) ==
      GIF_ERROR)
    return fail_gif(gif->file->Error);
  for (int y = p.top; y < p.bottom; y++) {
    uint8_t *then = gif->shown + (size_t)y * (size_t)n;
    const uint8_t *now = picture + (size_t)y * (size_t)n;
    for (int x = p.left; x < p.right; x++) {
      const bool same = gif->any && now[x] == then[x];
      gif->line[x - p.left] = same ? (uint8_t)gif->transparent : now[x];
    }
    if (EGifPutLine(gif->file, gif->line, p.right - p.left) == GIF_ERROR)
      return fail_gif(gif->file->Error);
  }
  memcpy(gif->shown, picture, (size_t)n * (size_t)n);
  gif->any = true;
  return CEL_OK;
}

CelStatus celi_gif_write(CeliGif *gif, const char *path) {
  int error = 0;
  const int closed = EGifCloseFile(gif->file, &error); // also frees the file on errors
  gif->file = NULL;
  if (closed == GIF_ERROR) return fail_gif(error);
  CELI_TRY(celi_text_status(&gif->bytes));
  return celi_file_write(path, gif->bytes.data, gif->bytes.size);
}

void celi_gif_free(CeliGif *gif) {
  if (!gif) return;
  if (gif->file) (void)EGifCloseFile(gif->file, NULL);
  celi_text_free(&gif->bytes);
  free(gif->shown);
  free(gif->line);
  free(gif);
}

#else

CelStatus celi_gif_open(CeliGif **out, int size, const uint32_t *colors, int n_colors) {
  (void)size, (void)colors, (void)n_colors;
  *out = NULL;
  return cel_fail(
      CEL_E_UNSUPPORTED,
      "this build cannot write animations; install giflib (Debian: libgif-dev) and rebuild");
}

CelStatus celi_gif_add(CeliGif *gif, const uint8_t *picture, int delay) {
  (void)gif, (void)picture, (void)delay;
  return cel_fail(CEL_E_STATE, "no animation is open");
}

CelStatus celi_gif_write(CeliGif *gif, const char *path) {
  (void)gif;
  return cel_fail(CEL_E_STATE, "%s: no animation is open", path);
}

void celi_gif_free(CeliGif *gif) {
  (void)gif;
}

#endif

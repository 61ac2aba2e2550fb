/// What the files of the animation share: recorded states, pixels, the GIF they become.
///
/// render_film.c plays episodes and keeps the states; render_draw.c turns a canvas into pixels;
/// render_palette.c chooses 255 colours; render_gif.c writes the file; render.c puts it together.
#ifndef CELI_VIEW_RENDER_H
#define CELI_VIEW_RENDER_H
#include "base/base.h"
#include "celsius/render.h"

// ---- render_film.c

/// One picture to be: a state and what the overlay tells.
typedef struct CeliShot {
  int64_t step;  ///< steps taken in its episode
  double gained; ///< return so far
  bool last;     ///< of its episode
} CeliShot;

typedef struct CeliFilm {
  const CelEnvSpec *spec;
  int64_t n, capacity;
  double *states; ///< (n, state_size)
  CeliShot *shot; ///< (n,)
} CeliFilm;

/// How fast: every how many steps there is a picture, and for how many hundredths of a second it is seen.
typedef struct CeliPacing {
  int64_t stride;
  int delay;
} CeliPacing;

/// The environment's own pace, from its field "dt" or "tau" (seconds a step), kept within 20 to 30 pictures a second; or `fps`
/// when that is not 0.
CeliPacing celi_film_pacing(const CelEnvSpec *spec, double fps);
/// Plays deterministic episodes and keeps every stride-th state, and the last one of each.
/// Errors: CEL_E_SHAPE, CEL_E_NAN, CEL_E_MEMORY, what the environment says.
CelStatus celi_film_record(CeliFilm *film, CelAgent *agent, const CelEnvSpec *spec, uint64_t seed,
                           const CelRenderOptions *options) CEL_WARN_UNUSED;
void celi_film_free(CeliFilm *film);

// ---- render_draw.c

/// Pixels of a square picture, 0x00RRGGBB.
typedef struct CeliPixels {
  int size;
  void *surface;  ///< cairo's, an RGB24 image
  uint32_t *data; ///< (size, stride)
  int64_t stride; ///< pixels from row to row
} CeliPixels;

/// Errors: CEL_E_MEMORY, CEL_E_UNSUPPORTED (built without cairo).
CelStatus celi_pixels_create(CeliPixels *pixels, int64_t size) CEL_WARN_UNUSED;
void celi_pixels_free(CeliPixels *pixels);
/// Draws a canvas, and `overlay` in a corner unless it is NULL. Errors: CEL_E_RANGE (no view, more shapes than there is
/// room for), CEL_E_NAN, CEL_E_MEMORY.
CelStatus celi_pixels_draw(CeliPixels *pixels, const CelCanvas *canvas,
                           const char *overlay) CEL_WARN_UNUSED;
CelStatus celi_pixels_write_png(const CeliPixels *pixels, const char *path) CEL_WARN_UNUSED;

// ---- render_palette.c

#define CELI_PALETTE_COLORS 255

/// A palette under construction: all colours seen, to 6 bits a channel, and what became of them.
typedef struct CeliPalette CeliPalette;
/// Errors: CEL_E_MEMORY.
CelStatus celi_palette_create(CeliPalette **out) CEL_WARN_UNUSED;
void celi_palette_free(CeliPalette *palette);
/// Counts the colours of a picture.
void celi_palette_see(CeliPalette *palette, const CeliPixels *pixels);
/// Chooses at most CELI_PALETTE_COLORS colours for what was seen, by median cut. Returns how many.
/// Source: Heckbert, "Color image quantization for frame buffer display", SIGGRAPH 1982.
int celi_palette_choose(CeliPalette *palette, uint32_t colors[CELI_PALETTE_COLORS]);
/// The index of the chosen colour nearest to one; every colour of a picture that was seen costs a search only once.
uint8_t celi_palette_index(CeliPalette *palette, uint32_t color);

// ---- render_gif.c

/// A GIF being written to memory; pictures after the first hold only what changed.
typedef struct CeliGif CeliGif;
/// Errors: CEL_E_MEMORY, CEL_E_UNSUPPORTED (built without giflib).
CelStatus celi_gif_open(CeliGif **out, int size, const uint32_t *colors,
                        int n_colors) CEL_WARN_UNUSED;
/// Adds a picture (size, size) of palette indices, seen for `delay` hundredths of a second.
CelStatus celi_gif_add(CeliGif *gif, const uint8_t *picture, int delay) CEL_WARN_UNUSED;
/// Ends the animation and writes it to a file. Errors: CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_gif_write(CeliGif *gif, const char *path) CEL_WARN_UNUSED;
/// Takes NULL.
void celi_gif_free(CeliGif *gif);

#endif

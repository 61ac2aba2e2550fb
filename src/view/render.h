/// Animations: what the files share.
///
/// render_film.c plays episodes and records the states; render_draw.c draws a canvas as pixels;
/// render_palette.c chooses 255 colors; render_gif.c and render_mp4.c write the file; render.c has
/// the public functions.
#ifndef CELI_VIEW_RENDER_H
#define CELI_VIEW_RENDER_H
#include "base/base.h"
#include "celsius/render.h"

// ---- render_film.c

/// The information of one picture besides its state, for the overlay.
typedef struct CeliShot {
  int64_t step;  ///< steps of its episode so far
  double gained; ///< return of its episode so far
  bool last;     ///< last picture of its episode
} CeliShot;

typedef struct CeliFilm {
  const CelEnvSpec *spec;
  int64_t n, capacity;
  double *states; ///< (n, state_size)
  CeliShot *shot; ///< (n,)
} CeliFilm;

/// Speed of an animation: steps per picture, and hundredths of a second per picture.
typedef struct CeliPacing {
  int64_t stride;
  int delay;
} CeliPacing;

/// The speed of an animation. fps 0: that of the environment from its field "dt" or "tau" (seconds
/// per step), limited to 20 to 30 pictures per second.
CeliPacing celi_film_pacing(const CelEnvSpec *spec, double fps);
/// Plays episodes with deterministic actions. Records every stride-th state and the last state of
/// each.
/// Errors: CEL_E_SHAPE, CEL_E_NAN, CEL_E_MEMORY, and those of the environment.
CelStatus celi_film_record(CeliFilm *film, CelAgent *agent, const CelEnvSpec *spec, uint64_t seed,
                           const CelRenderOptions *options) CEL_WARN_UNUSED;
void celi_film_free(CeliFilm *film);

// ---- render_draw.c

/// Pixels of a square picture, 0x00RRGGBB.
typedef struct CeliPixels {
  int size;
  void *surface;  ///< cairo surface, an RGB24 image
  uint32_t *data; ///< (size, stride)
  int64_t stride; ///< distance of rows in pixels
} CeliPixels;

/// Errors: CEL_E_MEMORY, CEL_E_UNSUPPORTED (built without cairo).
CelStatus celi_pixels_create(CeliPixels *pixels, int64_t size) CEL_WARN_UNUSED;
void celi_pixels_free(CeliPixels *pixels);
/// Draws a canvas, and the text `overlay` in a corner unless it is NULL. Errors: CEL_E_RANGE (no
/// view, too many shapes), CEL_E_NAN, CEL_E_MEMORY.
CelStatus celi_pixels_draw(CeliPixels *pixels, const CelCanvas *canvas,
                           const char *overlay) CEL_WARN_UNUSED;
CelStatus celi_pixels_write_png(const CeliPixels *pixels, const char *path) CEL_WARN_UNUSED;

// ---- render_palette.c

#define CELI_PALETTE_COLORS 255

/// A palette: the counts of all colors, with 6 bits per channel, and then the chosen colors.
typedef struct CeliPalette CeliPalette;
/// Errors: CEL_E_MEMORY.
CelStatus celi_palette_create(CeliPalette **out) CEL_WARN_UNUSED;
void celi_palette_free(CeliPalette *palette);
/// Counts the colors of a picture.
void celi_palette_see(CeliPalette *palette, const CeliPixels *pixels);
/// Chooses at most CELI_PALETTE_COLORS colors for all counted pictures, by median cut. Returns
/// their number.
/// Source: Heckbert, "Color image quantization for frame buffer display", SIGGRAPH 1982.
int celi_palette_choose(CeliPalette *palette, uint32_t colors[CELI_PALETTE_COLORS]);
/// The index of the chosen color nearest to `color`. It searches only once for each counted color.
uint8_t celi_palette_index(CeliPalette *palette, uint32_t color);

// ---- render_gif.c

/// A GIF that is written to memory. Pictures after the first contain only changes.
typedef struct CeliGif CeliGif;
/// Errors: CEL_E_MEMORY, CEL_E_UNSUPPORTED (built without giflib).
CelStatus celi_gif_open(CeliGif **out, int size, const uint32_t *colors,
                        int n_colors) CEL_WARN_UNUSED;
/// Adds a picture (size, size) of palette indices. delay: its duration in hundredths of a second.
CelStatus celi_gif_add(CeliGif *gif, const uint8_t *picture, int delay) CEL_WARN_UNUSED;
/// Ends the animation and writes it to a file. Errors: CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_gif_write(CeliGif *gif, const char *path) CEL_WARN_UNUSED;
/// Takes NULL.
void celi_gif_free(CeliGif *gif);

// ---- render_mp4.c

/// A film that the program ffmpeg encodes.
typedef struct CeliMp4 {
  int process, pipe;      ///< ffmpeg, and the socket that is its input
  char file[64], log[64]; ///< temporary files: its output, and its messages
  uint8_t *frame;         ///< (size, size, 3)
  int size;
} CeliMp4;
/// Starts ffmpeg. delay: hundredths of a second for each picture. After a failure there is nothing
/// to close. Errors: CEL_E_UNSUPPORTED (ffmpeg is missing), CEL_E_IO, CEL_E_MEMORY.
CelStatus celi_mp4_open(CeliMp4 *mp4, int size, int delay) CEL_WARN_UNUSED;
/// Errors: CEL_E_IO (ffmpeg stopped; celi_mp4_close has its message).
CelStatus celi_mp4_add(CeliMp4 *mp4, const CeliPixels *pixels) CEL_WARN_UNUSED;
/// Ends ffmpeg and writes the film to a file, unless `status` is an error, which it returns.
/// Errors: CEL_E_IO (with ffmpeg's message).
CelStatus celi_mp4_close(CeliMp4 *mp4, CelStatus status, const char *path) CEL_WARN_UNUSED;

#endif

/// Pictures of an agent in its environment: animations and single frames.
#ifndef CELSIUS_RENDER_H
#define CELSIUS_RENDER_H
#include "celsius/agent.h"
#include "celsius/canvas.h"
#include "celsius/env.h"
CEL_BEGIN

/// How to draw. Start from cel_render_options_default(); the field table is cel_render_fields().
typedef struct CelRenderOptions {
  /// Episodes, one after another. Range 1 to 1000, default 1.
  int64_t episodes;
  /// Largest number of frames. Range 2 to 100000, default 600. Lower it for a smaller file.
  int64_t max_frames;
  /// Side of the square picture, pixels. Range 32 to 2000, default 400.
  int64_t size;
  /// Frames per second. Range 0 to 50, default 0, which is the environment's own pace within 20 to
  /// 30.
  double fps;
  /// Writes step and return into the picture. Default true.
  bool overlay;
  /// Name of the camera, of environments that have cameras. Default "", the environment's choice.
  char camera[CEL_TEXT_MAX];
} CelRenderOptions;
/// Returns the default options.
CEL_API CelRenderOptions cel_render_options_default(void);
/// Returns the field table of CelRenderOptions. Static; never NULL.
CEL_API const CelField *cel_render_fields(void);

/// Writes deterministic episodes as a file whose name says its kind: .gif (cel_render_gif), .mp4 (a
/// film, encoded by the program ffmpeg), or .png (one picture, from the middle of the film).
/// Errors: CEL_E_ARGUMENT (another ending), CEL_E_UNSUPPORTED (also: ffmpeg is missing), and those
/// of cel_render_gif. Allocates: yes.
CEL_API CelStatus cel_render(const char *path, CelAgent *agent, const CelEnvSpec *spec,
                             uint64_t seed, const CelRenderOptions *options) CEL_WARN_UNUSED;
/// Writes a looping GIF of deterministic episodes. Episode i starts as in cel_evaluate, from stream
/// (seed, CEL_RNG_EVAL, i). The agent does not change. `options` NULL: the defaults.
/// Errors: CEL_E_UNSUPPORTED (an environment without pictures; built without cairo or giflib),
/// CEL_E_SHAPE (the agent has other spaces), CEL_E_RANGE, CEL_E_IO (the old file stays), CEL_E_NAN,
/// CEL_E_MEMORY. Allocates: yes.
CEL_API CelStatus cel_render_gif(const char *path, CelAgent *agent, const CelEnvSpec *spec,
                                 uint64_t seed, const CelRenderOptions *options) CEL_WARN_UNUSED;
/// Writes one state (state_size,) of an environment as a PNG of size x size pixels.
/// Errors: CEL_E_UNSUPPORTED, CEL_E_RANGE, CEL_E_IO, CEL_E_MEMORY. Allocates: yes.
CEL_API CelStatus cel_render_png(const char *path, const CelEnvSpec *spec, const double *state,
                                 int64_t size) CEL_WARN_UNUSED;
/// Writes a canvas of your own as a PNG of size x size pixels. Errors: as cel_render_png.
CEL_API CelStatus cel_canvas_png(const char *path, const CelCanvas *canvas,
                                 int64_t size) CEL_WARN_UNUSED;

CEL_END
#endif

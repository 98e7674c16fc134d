/* The parts of an instrument, what each reads from its file and what each computes.

   latent --model--> levels --detail--> levels --phase--> samples --rise, finish--> sound       sounds without pitch
   latent --model--> levels --note: oscillators and shaped noise--> samples --finish--> sound   notes                       */
#ifndef TS_PARTS_H
#define TS_PARTS_H

#include "base.h"

/* --- file.c, json.c: a .safetensors file in memory ------------------------------------------------------------------------------- */
typedef enum { TS_F32, TS_F16, TS_I8 } Type;
typedef struct {
  Type type;
  int axes;
  int64_t shape[4];
  const void *data;   /* not aligned; copy with tensor_floats */
} Tensor;
typedef struct File File;
typedef struct Json Json; /* a value of the header "timbrespace": settings, sample_rate, labels … */
Status file_open(File **out, const void *bytes, size_t size, Arena *arena);
const Tensor *file_tensor(const File *file, const char *name);  /* NULL: the file has none */
Status file_floats(const File *file, const char *name, int axes, const int64_t *shape, float low, float high, const float **out, Arena *arena);
  /* a tensor of exactly this shape (an axis of -1: any), finite and within low to high, as aligned floats */
const Json *json_at(const Json *json, const char *path);        /* "settings.model.dims"; NULL: none */
const Json *file_header(const File *file);
double json_number(const Json *json, double otherwise);
int json_is(const Json *json, const char *text);                /* whether it is this string */
size_t json_count(const Json *json);                            /* entries of an array or object, 0 for others */
const Json *json_item(const Json *json, size_t index);
size_t json_text(const Json *json, char *out, size_t size);     /* a string as UTF-8, 0-terminated; returns its length without the 0 */

/* --- levels ---------------------------------------------------------------------------------------------------------------------- */
/* Levels in dB under the loudest cell, [part][frame][band]: a frame is contiguous. Python has (parts, bands, frames). */
typedef struct {
  int parts, frames, bands;
  float *db;
} Levels;

/* --- model.c: the decoder of `oneshot` (model/codec) ----------------------------------------------------------------------------- */
typedef struct Model Model;
Status model_open(Model **out, const File *file, Arena *arena);
/* samples in: wanted length, 0 for the decoded one; out: the length. Levels are taken from `work` and stay there. */
int64_t model_length(const Model *model, const float *z, Arena *work); /* samples that a latent decodes to; 0: out of memory */
Status model_decode(const Model *model, const float *z, int64_t *samples, Levels *out, Arena *work);

/* --- space.c: new latents (latent/space.py, synthesis/request.py); controls.c: stored slopes of the named controls -------------------- */
typedef struct Space Space;
Status space_open(Space **out, const File *file, const Model *model, Arena *arena);

/* --- detail.c: detail of new sounds, limits of traits, rise (synthesis/detail_model) ----------------------------------------------- */
typedef struct Detail Detail;
Status detail_open(Detail **out, const File *file, Arena *arena);      /* *out NULL where the file has none */
Status detail_add(const Detail *detail, const float *z, int category, uint64_t seed, Levels *levels, Arena *work); /* in place */
Status detail_excess(const Detail *detail, const float *z, int category, const Levels *levels, double *out, Arena *work);
Status detail_sharpen(const Detail *detail, int category, float *audio, int channels, int64_t samples, Arena *work);
  /* audio [channel][samples] */
/* Bytes of work memory that each of these takes at most. */
size_t detail_work_size(const Detail *detail, int parts, int frames);

/* --- texture.c: noise texture of new sounds of an instrument without a detail model (synthesis/texture.py) ---------------------------- */
typedef struct Texture Texture;
Status texture_open(Texture **out, const File *file, Arena *arena);    /* takes a Fourier transform of the view's window */
Status texture_add(const Texture *texture, uint64_t seed, int64_t samples, Levels *levels, Arena *work); /* in place */
size_t texture_work_size(const Texture *texture, int64_t samples);

/* --- phase.c, heap.c, search.c: levels of bands to samples (representation/views/bands.py, phase/) ------------------------------------ */
typedef struct Phase Phase;
Status phase_open(Phase **out, const File *file, Arena *arena);
Status phase_render(const Phase *phase, const Levels *levels, int64_t samples, uint64_t seed, int steps, float *audio, Arena *work);
  /* audio [channel][sample] */
size_t phase_work_size(const Phase *phase, int64_t samples);
int phase_bins(const Phase *phase); /* of its spectrum */

/* --- note.c: notes by oscillators (synthesis/harmonic) ------------------------------------------------------------------------------ */
typedef struct Note Note;
Status note_open(Note **out, const File *file, Arena *arena);          /* *out NULL where the instrument plays no notes */
Status note_render(const Note *note, const Levels *levels, const float *z, int category, double midi, uint64_t seed, int64_t samples,
                   float *audio, Arena *work);
size_t note_work_size(const Note *note, int64_t samples);              /* bytes of work memory of note_render at most */

/* --- finish.c: start, end and level of a sound (synthesis/finish.py) ---------------------------------------------------------------- */
typedef struct {
  int level;         /* 0 peak, 1 loudness, 2 keep */
  double target_db;
  int trim, subsonics;
} Finish;
Status finish_sound(float *audio, int channels, int64_t *samples, int64_t capacity, int rate, const Finish *options, Arena *work);
  /* audio [channel][capacity]; may grow by the ramp at the onset, and is then cut: TS_MEMORY where the result is longer than capacity */
size_t finish_work_size(int channels, int64_t samples, int rate);

/* Categories are numbered in the order of `space.categories` in Python (sorted); -1: none. */
int category_index(const File *file, const char *name);
size_t category_count(const File *file);
#endif

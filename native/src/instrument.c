/* Opens instruments, and says what they have. */
#include "instrument.h"

static const int RAMP = 256; /* samples that finishing may put before a sound, at most; see finish.c */

int32_t ts_abi(void) { return TS_ABI; }

void ts_message(ts_status status, char *out, size_t size) {
  static const char *const TEXTS[] = {
      "", "the file is damaged or not an instrument", "the instrument is of a version that is not read here",
      "the instrument has settings that are not played here", "an argument is out of range", "the memory given is too small",
  };
  if (out != NULL) text_format(out, size, "%s", status >= 0 && status <= TS_MEMORY ? TEXTS[status] : "an unknown status");
}

Arena arena_of(ts_memory *memory) {
  memory->message[0] = 0;
  memory->used = 0;
  size_t skipped = memory->base == NULL ? 0 : (size_t)(-(uintptr_t)memory->base & 63);
  if (memory->base == NULL || memory->size <= skipped) return (Arena){.base = NULL};
  return (Arena){.base = (unsigned char *)memory->base + skipped, .size = memory->size - skipped};
}

ts_status finished(ts_memory *memory, const Arena *arena, Status status) {
  memory->used = arena->peak + 63;
  if (status == TS_MEMORY && memory->message[0] == 0)
    text_format(memory->message, sizeof memory->message, "the memory of %d bytes is too small; ask ts_open_size or ts_work_size",
                (int64_t)memory->size);
  if (status != TS_OK && memory->message[0] == 0) ts_message(status, memory->message, sizeof memory->message);
  return status;
}

size_t ts_open_size(const void *file, size_t size) {
  size_t needed = file == NULL ? 0 : file_memory(file, size);
  return needed == 0 ? 0 : needed + 64;
}

/* What makes new sounds of levels: notes, else detail, else the noise texture of earlier versions. */
static Status open_sounds(ts_instrument *instrument, Arena *arena) {
  const File *file = instrument->file;
  Status status = detail_open(&instrument->detail, file, arena);
  if (status == TS_OK) status = note_open(&instrument->note, file, arena);
  if (status == TS_OK && instrument->detail == NULL && instrument->note == NULL) status = texture_open(&instrument->texture, file, arena);
  return status == TS_OK ? phase_open(&instrument->phase, file, arena) : status;
}

ts_status ts_open(const void *file, size_t size, ts_memory *memory, ts_instrument **out) {
  if (out != NULL) *out = NULL;
  if (memory == NULL || out == NULL) return TS_ARGUMENT;
  Arena arena = arena_of(memory);
  if (ts_open_size(file, size) == 0) {
    text_format(memory->message, sizeof memory->message, "these %d bytes are not a timbrespace instrument; give a file made by `timbrespace train`",
                (int64_t)size);
    return TS_DAMAGED;
  }
  ts_instrument *instrument = TAKE(&arena, ts_instrument, 1);
  if (instrument == NULL) return finished(memory, &arena, TS_MEMORY);
  *instrument = (ts_instrument){.file = NULL};
  Status status = file_open(&instrument->file, file, size, &arena);
  File *opened = instrument->file;
  if (status == TS_OK) status = model_open(&instrument->model, opened, &arena);
  if (status == TS_OK) status = space_open(&instrument->space, opened, instrument->model, &arena);
  if (status == TS_OK) status = controls_open(&instrument->controls, opened, instrument->space, &arena);
  if (status == TS_OK) status = open_sounds(instrument, &arena);
  if (opened != NULL && opened->message != NULL) text_format(memory->message, sizeof memory->message, "%s", opened->message);
  if (status != TS_OK) return finished(memory, &arena, status);
  const Json *settings = json_at(opened->header, "settings.representation");
  double iterations = json_number(json_entry(settings, "iterations"), 32.0);
  instrument->iterations = iterations >= 1.0 && iterations <= 1000.0 ? (int)iterations : 32;
  *out = instrument;
  return finished(memory, &arena, TS_OK);
}

void ts_info_of(const ts_instrument *instrument, ts_info *out) {
  if (out == NULL) return;
  *out = (ts_info){.dims = 0};
  if (instrument == NULL) return;
  const Model *model = instrument->model;
  *out = (ts_info){
      .dims = model->dims, .sample_rate = model->sample_rate, .channels = model->channels, .samples = (int32_t)model->samples,
      .capacity = (int32_t)model->samples + RAMP, .categories = (int32_t)category_count(instrument->file),
      .controls = instrument->controls == NULL ? 0 : instrument->controls->count, .notes = model->has_notes, .velocities = model->has_velocity,
      .parts = model->parts, .bands = model->bands, .frames = (int32_t)model->frames,
      .steps = new_sound_steps(instrument),
  };
  if (model->has_notes) {
    out->learned_low = (float)model->notes.lowest, out->learned_high = (float)model->notes.highest;
    out->lowest_pitch = out->learned_low > 12.0f ? out->learned_low - 12.0f : 0.0f;
    out->highest_pitch = out->learned_high < 115.0f ? out->learned_high + 12.0f : 127.0f;
  }
  if (model->has_velocity) out->lowest_velocity = (float)model->lowest_velocity, out->highest_velocity = (float)model->highest_velocity;
}

size_t ts_category(const ts_instrument *instrument, int32_t index, char *out, size_t size) {
  if (instrument == NULL || index < 0) size = 0;
  return instrument == NULL || index < 0 ? 0 : json_text(category_name(instrument->file, (size_t)index), out, out == NULL ? 0 : size);
}

int32_t ts_category_index(const ts_instrument *instrument, const char *name) {
  return instrument == NULL || name == NULL ? -1 : category_index(instrument->file, name);
}

/* Python's round to one decimal, near enough: it is for people. */
static float tenths(float x) { return (float)(ts_floor((double)x * 10.0 + 0.5) / 10.0); }

ts_status ts_control_of(const ts_instrument *instrument, int32_t index, ts_control *out) {
  if (instrument == NULL || out == NULL) return TS_ARGUMENT;
  const Controls *controls = instrument->controls;
  if (controls == NULL || index < 0 || index >= controls->count) return controls == NULL ? TS_UNCOVERED : TS_ARGUMENT;
  int place = controls->offered[index];
  const struct Descriptor *descriptor = DESCRIPTOR + place;
  *out = (ts_control){.logarithmic = descriptor->logarithmic, .spread = controls->spreads[place]};
  text_format(out->name, sizeof out->name, "%s", descriptor->name);
  text_format(out->unit, sizeof out->unit, "%s", descriptor->unit);
  text_format(out->more, sizeof out->more, "%s", descriptor->more);
  text_format(out->less, sizeof out->less, "%s", descriptor->less);
  out->low = tenths(controls->reach[2 * place]), out->high = tenths(controls->reach[2 * place + 1]);
  double lowest = (double)controls->lowest[place], highest = (double)controls->highest[place];
  out->lowest = (float)(descriptor->logarithmic ? ts_exp2(lowest) : lowest);
  out->highest = (float)(descriptor->logarithmic ? ts_exp2(highest) : highest);
  return TS_OK;
}

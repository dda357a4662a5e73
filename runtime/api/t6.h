/*===- t6.h - Run compiled models -------------------------------*- C -*-===*\
|*
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===
|*
|* The public interface of the runtime, in C99: open a compiled model (.t6x),
|* load weights, generate text, evaluate, run any entry. Compiles nothing; the
|* compiler is tpa-opt.
|*
|* Conventions that hold everywhere unless a function says otherwise:
|*  - A function that can fail returns a t6_status *: NULL means success. A
|*    status that is not NULL is the caller's, to be freed by t6_status_free().
|*    On failure the output arguments are unchanged.
|*  - Objects (t6_model, t6_tokenizer) belong to the caller and are freed by
|*    t6_model_close() and t6_tokenizer_free(), which accept NULL. Memory that a
|*    function returns through a pointer is freed by t6_free().
|*  - Strings are zero-terminated UTF-8; text with a length need not be
|*    terminated and may hold zero bytes. Paths are as the system has them.
|*    Arguments are only read during the call, and are never kept.
|*  - Structs of options and results begin with their size, so that programs
|*    built with an older header keep working. The t6_*_init() functions set it
|*    and all defaults; passing NULL for options means all defaults, and NULL
for
|*    a result means that it is not wanted.
|*  - A model is used by one thread at a time, t6_model_cancel() excepted. A
|*    tokenizer never changes: any number of threads may share one. Different
|*    objects are independent.
|*  - Seconds are of wall-clock time; token positions count from 0.
|*  - Nothing here prints, exits, or installs signal handlers.
|*
\*===----------------------------------------------------------------------===*/

#ifndef T6_RUNTIME_API_T6_H
#define T6_RUNTIME_API_T6_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*===-- Status ------------------------------------------------------------===*/

/** What kind of failure; the numbers are the exit codes of the t6 program. */
typedef enum t6_code {
  T6_OK = 0,
  /** Anything else: a file that cannot be read, a full disk, no memory. */
  T6_RUNTIME_ERROR = 1,
  /** The call asks for what cannot be: a wrong option, a token out of range. */
  T6_USAGE_ERROR = 2,
  /** A file is damaged, or does not fit this model, runtime or machine. */
  T6_ARTIFACT_ERROR = 3,
  /** t6_check() found kernels that compute something else. */
  T6_CHECK_FAILED = 4
} t6_code;

typedef struct t6_status t6_status;

/** The code of `status`; T6_OK for NULL. */
t6_code t6_status_code(const t6_status *status);

/** One sentence that says what is wrong and where, often ending in "HINT: " and
 *  what mends it; "" for NULL. Lives as long as the status. */
const char *t6_status_message(const t6_status *status);

/** Frees a status; NULL is accepted. */
void t6_status_free(t6_status *status);

/** Frees memory that a function of this header returned; NULL is accepted. */
void t6_free(void *memory);

/** The version of this library, "0.1.0"; static memory. */
const char *t6_version(void);

/*===-- Model -------------------------------------------------------------===*/

/** A compiled model, its weights, and one cache for a batch of sequences. */
typedef struct t6_model t6_model;

typedef struct t6_model_options {
  size_t struct_size;
  /** "cpu" or "auto" (default: the best one that the artifact has). */
  const char *device;
  /** Threads that compute, the caller's included; 0 (default): one for each CPU
   *  that this process may use. */
  int32_t threads;
  /** Nonzero: t6_model_load_weights copies all weights into memory of their
   *  own, in huge pages, which is read faster than a mapped file; 0 (default):
   *  only those of another type. */
  int32_t copy_weights;
} t6_model_options;

void t6_model_options_init(t6_model_options *options);

/** Opens and verifies the artifact `path`. Loads no weights and no machine
 *  code yet, so that an artifact for another CPU can be inspected. */
t6_status *t6_model_open(const char *path, const t6_model_options *options,
                         t6_model **model);

/** Frees a model and all that belongs to it; NULL is accepted. */
void t6_model_close(t6_model *model);

/** Binds every parameter to a tensor of the checkpoint, which consists of
 *  `count` paths: .safetensors files, *.index.json files, or folders. Tensors
 *  whose type fits are mapped, unless the model's options say copy_weights, the
 *  others converted. A second call replaces
 *  the weights. The files must not be truncated while the model is open. */
t6_status *t6_model_load_weights(t6_model *model, const char *const *paths,
                                 size_t count);

/** Fills every parameter with pseudo-random numbers: enough to measure speed,
 * not to generate text. They are those that training starts from, where the
 *  artifact says so, but small uniform ones in place of zeros, which would hide
 *  a part of the model from whoever looks at its output. */
t6_status *t6_model_random_weights(t6_model *model, uint64_t seed);

typedef struct t6_model_stats {
  size_t struct_size;
  int64_t batch;         /**< Rows: sequences that are run at once. */
  int64_t max_length;    /**< Tokens that the cache holds in each row. */
  int64_t prefill_chunk; /**< Tokens of each row that one prefill run takes. */
  int64_t vocab_size;    /**< Token ids are below this. */
  int64_t parameters;    /**< Of the model, tied ones counted once. */
  int64_t param_bytes;   /**< Of all parameters as the kernels read them. */
  int64_t cache_bytes;   /**< Of all state buffers, allocated in full. */
  int64_t cache_bytes_per_token; /**< Of one row. */
  /** How many bytes of the loaded weights are views into their files, and how
   *  many are copies; 0 before weights are loaded. */
  int64_t mapped_weight_bytes;
  int64_t copied_weight_bytes;
  int32_t threads; /**< 0 until something has made the model load its code. */
} t6_model_stats;

/** Fills `stats`, whose struct_size the caller has set. */
void t6_model_get_stats(const t6_model *model, t6_model_stats *stats);

/** The `index`-th sentence on what was odd but harmless in the weights; NULL
 *  past the last. Lives until weights are loaded again. */
const char *t6_model_warning(const t6_model *model, size_t index);

typedef struct t6_info_options {
  size_t struct_size;
  /** Not 0: also lists every dispatch with its costs. */
  int32_t dispatches;
  /** The value, capped at their maximum, of the sizes and lengths at which
   * costs are stated; 0 (default): their maximum. */
  int64_t length;
} t6_info_options;

void t6_info_options_init(t6_info_options *options);

/** What the artifact holds, as a JSON object in `*json` (to be freed by
 *  t6_free): model, options, cache (pages that rows share, tokens for all rows
 *  together, bytes), cpu, files, buffers (count and bytes by kind), parameters
 *  (type, shape in a checkpoint, initial values), kernels, entries with inputs,
 *  outputs, scalars and total cost. */
t6_status *t6_model_info(const t6_model *model, const t6_info_options *options,
                         char **json);

/** Asks the call that is running on `model` to end soon: t6_generate() then
 *  returns with T6_FINISH_CANCELLED, others with T6_RUNTIME_ERROR. Without one,
 *  the next such call ends at once. Safe in signal handlers and from any
 *  thread. */
void t6_model_cancel(t6_model *model);

/*===-- Tokenizer ---------------------------------------------------------===*/

typedef struct t6_tokenizer t6_tokenizer;

/** Opens a tokenizer: a tokenizer.json, a vocab.json with merges.txt beside it,
 *  a folder with these, or the word "bytes" (256 bytes and <|endoftext|>). */
t6_status *t6_tokenizer_open(const char *path, t6_tokenizer **tokenizer);

void t6_tokenizer_free(t6_tokenizer *tokenizer);

/** Ids are 0 ... t6_tokenizer_vocab_size() - 1. */
int32_t t6_tokenizer_vocab_size(const t6_tokenizer *tokenizer);

/** The token that ends a text; -1 if there is none. */
int32_t t6_tokenizer_eos(const t6_tokenizer *tokenizer);

/** The ids of `text` in `*tokens` (to be freed by t6_free), `*count` of them.
 *  With `allow_special` not 0, the text of a special token is that token.
 *  Nothing is put before or after the text. */
t6_status *t6_tokenizer_encode(const t6_tokenizer *tokenizer, const char *text,
                               size_t bytes, int32_t allow_special,
                               int32_t **tokens, size_t *count);

/** The bytes of `tokens` in `*text` (to be freed by t6_free), `*bytes` of them
 *  and a zero after the last. They need not be valid UTF-8. T6_USAGE_ERROR for
 *  an id outside of the vocabulary. */
t6_status *t6_tokenizer_decode(const t6_tokenizer *tokenizer,
                               const int32_t *tokens, size_t count, char **text,
                               size_t *bytes);

/** Encodes the file `text_path` to the token file `token_path`, which appears
 *  whole or not at all. `*count` is the number of tokens. */
t6_status *t6_tokenize_file(const t6_tokenizer *tokenizer,
                            const char *text_path, const char *token_path,
                            int32_t allow_special, int64_t *count);

/** The way back: decodes the token file to a text file. */
t6_status *t6_detokenize_file(const t6_tokenizer *tokenizer,
                              const char *token_path, const char *text_path,
                              int64_t *count);

/*===-- Generation --------------------------------------------------------===*/

/** How the next token is chosen; the filters apply in this order. */
typedef struct t6_sampling_options {
  size_t struct_size;
  float repetition_penalty; /**< > 0; 1 (default): none. */
  float temperature;        /**< >= 0; 0: the most likely token. Default 1. */
  int32_t top_k;            /**< Only the k most likely; 0 (default): all. */
  float top_p; /**< (0, 1]: the smallest set of this probability. Default 1. */
  float min_p; /**< [0, 1]: at least this share of the likeliest. Default 0. */
  /** The same seed, model, prompt and row give the same tokens, whatever is in
   *  the other rows. Default 0. */
  uint64_t seed;
  /** Ids from here on are padding and never sampled. 0 (default): the
   *  vocabulary size of the tokenizer if there is one, else the model's. */
  int32_t vocab_limit;
} t6_sampling_options;

void t6_sampling_options_init(t6_sampling_options *options);

/** A prompt is text (when `text` is not NULL; needs a tokenizer, and the text
 * of special tokens is those tokens) or token ids. */
typedef struct t6_prompt {
  const char *text;
  size_t text_bytes;
  const int32_t *tokens;
  size_t token_count;
} t6_prompt;

/** Why a row ended. */
typedef enum t6_finish {
  T6_FINISH_NONE = 0,   /**< It goes on. */
  T6_FINISH_STOP,       /**< The end token, a stop token or a stop text. */
  T6_FINISH_MAX_TOKENS, /**< As many tokens as were asked for. */
  T6_FINISH_MAX_LENGTH, /**< The cache is full. */
  T6_FINISH_CANCELLED   /**< The callback or t6_model_cancel() ended it. */
} t6_finish;

/** What became known of one row. */
typedef struct t6_token_event {
  size_t row;
  /** The new token; -1 when the event only brings the end of a row. */
  int32_t token;
  /** Valid UTF-8 that is now decided, without special tokens and stop texts;
   *  often empty in the middle of a character. Empty without a tokenizer. */
  const char *text;
  size_t text_bytes;
  /** Not T6_FINISH_NONE in the last event of the row. */
  t6_finish finish;
} t6_token_event;

/** Called for each token, rows in order, on the thread that called
 *  t6_generate(). Not 0 ends the generation of all rows. The event is valid
 *  during the call, which must not use the model. */
typedef int (*t6_token_callback)(void *user, const t6_token_event *event);

typedef struct t6_generate_options {
  size_t struct_size;
  const t6_sampling_options *sampling; /**< NULL: the defaults. */
  /** For prompts and output as text, and the end token; may be NULL. */
  const t6_tokenizer *tokenizer;
  /** At most so many new tokens for each row; -1 (default): until the cache is
   *  full. */
  int64_t max_tokens;
  /** Further tokens that end a row; the token itself gives no text. */
  const int32_t *stop_tokens;
  size_t stop_token_count;
  /** Texts that end a row: output stops before them. Need a tokenizer. */
  const char *const *stop_texts;
  size_t stop_text_count;
  /** Not 0: the tokenizer's end token does not end a row. */
  int32_t ignore_eos;
  t6_token_callback callback; /**< May be NULL. */
  void *user;                 /**< The callback's first argument. */
} t6_generate_options;

void t6_generate_options_init(t6_generate_options *options);

typedef struct t6_generate_result {
  size_t struct_size;
  int64_t prompt_tokens;    /**< Over all rows. */
  int64_t generated_tokens; /**< Over all rows, end tokens included. */
  /** Of those, how many were the result of a decode run (the first token of a
   *  row comes from its prompt's run). */
  int64_t decoded_tokens;
  double prompt_seconds;
  double decode_seconds;
  int64_t cache_bytes; /**< Of all state buffers. */
} t6_generate_result;

/** Generates from `count` prompts at once, one in each row of the batch; they
 *  start new sequences, and may differ in length. T6_USAGE_ERROR when there are
 *  more prompts than rows, or one is empty, too long or has an id that is not
 *  in the vocabulary, or all together take more pages than the cache has; then
 *  nothing has run. A row that ends gives its pages to those that go on;
 *  T6_RUNTIME_ERROR when one of these finds none. */
t6_status *t6_generate(t6_model *model, const t6_prompt *prompts, size_t count,
                       const t6_generate_options *options,
                       t6_generate_result *result);

/*===-- Evaluation --------------------------------------------------------===*/

/** Called now and then with the amount done and to do; not 0 ends the call with
 *  T6_RUNTIME_ERROR. */
typedef int (*t6_progress_callback)(void *user, int64_t done, int64_t total);

typedef struct t6_evaluate_options {
  size_t struct_size;
  /** Only the first so many predictions; 0 (default): the whole file. */
  int64_t max_tokens;
  /** Tokens of context a window; 0 (default): as many as the model takes. */
  int64_t length;
  t6_progress_callback progress; /**< May be NULL. */
  void *user;
  const t6_tokenizer *tokenizer; /**< For text; may be NULL. */
  /** Not 0: of a corpus without validation files, only the last share, which
   *  t6_train() keeps apart at the same window length; in [0, 1). */
  double validation_share;
} t6_evaluate_options;

void t6_evaluate_options_init(t6_evaluate_options *options);

typedef struct t6_evaluate_result {
  size_t struct_size;
  int64_t tokens;  /**< That were predicted. */
  int64_t windows; /**< Independent stretches of text. */
  double loss;     /**< Mean over tokens of -ln p. */
  /** Standard error of `loss`, with windows as the independent samples (tokens
   *  of one window are not); of tokens when there is one window only. */
  double loss_error;
  double perplexity;       /**< exp(loss). */
  double perplexity_error; /**< perplexity × loss_error. */
  double seconds;
  int32_t has_header; /**< 0: a file of bare 16-bit tokens, taken on trust. */
} t6_evaluate_result;

/** Cuts the corpus at `data` into windows and predicts every token but the
 * first of each shard from those before it in its window, by the entry `loss`.
 * A corpus is what t6_train() takes: a token file, a folder of shards, of which
 *  those for validation are used if there are any, or text. */
t6_status *t6_evaluate(t6_model *model, const char *data,
                       const t6_evaluate_options *options,
                       t6_evaluate_result *result);

/*===-- Training ----------------------------------------------------------===*/

/** Weights as training starts from them, drawn from `seed`: zeros where a
 *  parameter starts at zero. */
t6_status *t6_model_initial_weights(t6_model *model, uint64_t seed);

typedef enum t6_train_kind {
  T6_TRAIN_FLAG = 0, /**< "on" or "off". */
  T6_TRAIN_INTEGER,
  T6_TRAIN_NUMBER,
  T6_TRAIN_TEXT,
  T6_TRAIN_CHOICE
} t6_train_kind;

/** An option of training. Strings live as long as the program. */
typedef struct t6_train_setting {
  size_t struct_size;
  const char *name; /**< "learning-rate" */
  t6_train_kind kind;
  const char *help;
  const char *initial; /**< Its value without a preset. */
} t6_train_setting;

/** The option number `index`; 0 beyond the last, else 1. */
int t6_train_setting_at(size_t index, t6_train_setting *setting);

typedef struct t6_train_progress {
  size_t struct_size;
  int64_t done;  /**< Steps. */
  int64_t total; /**< Steps. */
  double loss;
  double tokens_per_second;
  double seconds_left; /**< Below 0: not known. */
  /** All that as one line of at most 79 columns, with a bar. */
  const char *text;
} t6_train_progress;

typedef struct t6_train_options {
  size_t struct_size;
  const char *preset; /**< "reference", "fixed", or NULL. */
  /** Files of assignments as the reference's config/train.py has them, read in
   *  order after the preset; never executed. */
  const char *const *reference_configs;
  size_t reference_config_count;
  /** "name=value", in order after the files. */
  const char *const *settings;
  size_t setting_count;
  const t6_tokenizer *tokenizer; /**< For text; may be NULL. */
  /** Each may be NULL: a line of the log; what the user should know; how far
   *  the run is, after each step. Strings are valid during the call. */
  void (*line)(void *user, const char *text);
  void (*note)(void *user, const char *text);
  void (*progress)(void *user, const t6_train_progress *progress);
  void *user;
} t6_train_options;

void t6_train_options_init(t6_train_options *options);

typedef struct t6_train_result {
  size_t struct_size;
  int64_t steps;          /**< Updates done, earlier processes' included. */
  double training_loss;   /**< Of the last step; NaN if none was done. */
  double validation_loss; /**< Of the last evaluation; NaN without one. */
  int32_t interrupted;    /**< Not 0: t6_model_cancel() ended it. */
  char out[1024];         /**< The run's folder; cut if longer. */
  int64_t rank;           /**< Of this process in the run. */
} t6_train_result;

/** Trains the model from the weights that it has, which are in memory of their
 *  own (copy_weights, or t6_model_initial_weights()), or from a checkpoint of
 *  the run. t6_model_cancel() ends it with a checkpoint.
 *
 *  Where a launcher has started the process as one rank of several (mpirun of
 *  Open MPI, srun), every rank calls it with the same options, and they train
 *  together, each on its share of a step's batches. Rank 0 alone writes files
 *  and calls the functions of `options`. When one rank fails, all do. */
t6_status *t6_train(t6_model *model, const t6_train_options *options,
                    t6_train_result *result);

/** Draws the losses in `<run>/metrics.jsonl` of a run's folder as an SVG
 *  picture `output`, which appears whole or not at all. */
t6_status *t6_plot_losses(const char *run, const char *output);

/** All options as a JSON object, resolved as t6_train() does; to be freed by
 *  t6_free(). */
t6_status *t6_train_settings(const t6_train_options *options, char **json);

/*===-- Any entry ---------------------------------------------------------===*/

/** Runs the entry `entry` once, on a cache that is empty. Every input is the
 *  tensor of its name in the safetensors file `inputs`; every output goes to
 * the safetensors file `outputs`, which appears whole or not at all. */
t6_status *t6_run_file(t6_model *model, const char *entry, const char *inputs,
                       const char *outputs);

enum { T6_MAX_RANK = 8 };

/** A row-major tensor; `dtype` is "F32", "I32" and so on, as in safetensors. */
typedef struct t6_tensor {
  const char *name;
  const char *dtype;
  size_t rank;
  int64_t shape[T6_MAX_RANK];
  const void *data;
  size_t bytes;
} t6_tensor;

/** Runs an entry once on tensors in memory, which are copied. The state is as
 *  the last run left it: t6_reset() makes it empty. A cache in pages takes the
 *  input `pages` too; without it, each row has pages of its own, in order, if
 *  there are enough. */
t6_status *t6_run(t6_model *model, const char *entry, const t6_tensor *inputs,
                  size_t count);

/** An output of the last run of `entry`. Its memory is the model's and valid
 *  until the next call with this model. */
t6_status *t6_output(const t6_model *model, const char *entry, const char *name,
                     t6_tensor *output);

/** Empties the cache. */
t6_status *t6_reset(t6_model *model);

/*===-- Measuring ---------------------------------------------------------===*/

/** A dispatch that was run. Strings live as long as the model. */
typedef struct t6_dispatch_event {
  const char *entry;
  const char *label;
  const char *symbol;
  int32_t index; /**< In the entry's list. */
  double seconds;
  int64_t bytes_read; /**< By the compiler's account, at this run's sizes. */
  int64_t bytes_written;
  int64_t flops;
} t6_dispatch_event;

typedef void (*t6_dispatch_callback)(void *user,
                                     const t6_dispatch_event *event);

/** Calls `callback` after every dispatch from now on; NULL ends that. */
t6_status *t6_model_set_profiler(t6_model *model, t6_dispatch_callback callback,
                                 void *user);

/** The seconds that `tokens` more tokens in every row take as a prompt
 *  (`generate` 0) or one by one (`generate` not 0; without sampling), after
 *  `depth` tokens that are in the cache already and are not timed. Tokens and
 *  cache are pseudo-random. */
t6_status *t6_measure(t6_model *model, int32_t generate, int64_t depth,
                      int64_t tokens, double *seconds);

/** The most bytes a second that the model's threads read from memory, together,
 *  measured on a block that fits no cache. Takes about a second. */
t6_status *t6_measure_bandwidth(t6_model *model, double *bytes_per_second);

/*===-- Checking and converting -------------------------------------------===*/

typedef struct t6_check_options {
  size_t struct_size;
  const char *entry; /**< NULL (default): every entry. */
  uint64_t seed;     /**< Of weights, state and inputs. Default 1. */
  int64_t length;    /**< Of inputs; 0 (default): the longest. */
} t6_check_options;

void t6_check_options_init(t6_check_options *options);

typedef struct t6_check_result {
  size_t struct_size;
  int64_t dispatches; /**< That were compared. */
  /** The largest normalised mean squared error of a dispatch that passed. */
  double worst_nmse;
  char worst_label[128]; /**< Of that dispatch; cut if longer. */
} t6_check_result;

/** Compares every dispatch with the reference kernels in the artifact, from
 *  pseudo-random data. T6_CHECK_FAILED names the first dispatch that diverges,
 *  of each entry; `result` is filled in then too. */
t6_status *t6_check(const t6_model *model, const t6_check_options *options,
                    t6_check_result *result);

typedef struct t6_convert_result {
  size_t struct_size;
  int64_t tensors; /**< Parameters written. */
  int64_t aliases; /**< Further names of tied tensors. */
  int64_t bytes;   /**< Of all tensors. */
  /** Of a training checkpoint, the updates done; -1: weights alone. */
  int64_t iteration;
  char note[512]; /**< What the output cannot hold; empty: nothing. */
} t6_convert_result;

/** Converts a pytorch_model.bin, or the *.index.json of several, to one
 *  safetensors file, which appears whole or not at all. Runs no code of it.
 *
 *  Where `input` is a folder, a checkpoint of t6_train() (`<run>/latest`),
 *  `output` is a folder, not there or empty, which becomes a checkpoint of the
 *  T6 reference's trainer: config.json, pytorch_model.bin, optimizer.pt. */
t6_status *t6_convert(const char *input, const char *output,
                      t6_convert_result *result);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* T6_RUNTIME_API_T6_H */

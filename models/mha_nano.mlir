// LLaMA-MHA nano: multi-head attention, for tests and demos, tokens are bytes.
t6.model @mha_nano uses @mha {
  vocab = 257, layers = 4, width = 128, ffn = 341, context_length = 256,
  sizes = {H = 4, D = 32}}

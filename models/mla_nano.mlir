// LLaMA-MLA nano: multi-head latent attention, for tests and demos, tokens are bytes.
t6.model @mla_nano uses @mla {
  vocab = 257, layers = 4, width = 128, ffn = 341, context_length = 256,
  sizes = {H = 4, D = 32, P = 16, E = 32, L = 48, L_Q = 96}}

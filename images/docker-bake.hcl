# All images: docker buildx bake -f images/docker-bake.hcl -f images/pins.hcl [TARGET]
# The second file is rendered from images/pins.toml and holds every version and digest; `make images` checks them all first.

variable "REGISTRY" {
  description = "What goes before an image's name, slash included: registry.example/team/"
  default     = ""
}

variable "TAG" {
  description = "The images' tag, instead of the version and hash that Compose, the chart's values and `polydraft up` name"
  default     = ""
}

variable "PLATFORMS" {
  description = "Comma-separated platforms; empty is this machine's"
  default     = ""
}

variable "REVISION" {
  description = "The commit that is built, for the labels"
  default     = ""
}

group "default" {
  targets = ["router", "engine-cpu", "engine"]
}

target "common" {
  context   = "."
  platforms = PLATFORMS == "" ? null : split(",", PLATFORMS)
  labels    = REVISION == "" ? {} : { "org.opencontainers.image.revision" = REVISION }
}

target "router" {
  inherits   = ["common"]
  dockerfile = "images/router/Dockerfile"
  tags       = ["${REGISTRY}polydraft-router:${TAG != "" ? TAG : ROUTER_TAG}"]
  args = {
    BASE_IMAGE        = ROUTER_BASE_IMAGE
    POLYDRAFT_VERSION = ROUTER_POLYDRAFT_VERSION
  }
}

target "engine" {
  inherits   = ["common"]
  dockerfile = "images/engine/Dockerfile"
  tags       = ["${REGISTRY}polydraft-engine:${TAG != "" ? TAG : ENGINE_TAG}"]
  args = {
    BASE_IMAGE        = ENGINE_BASE_IMAGE
    POLYDRAFT_VERSION = ENGINE_POLYDRAFT_VERSION
    PLUGIN_VERSION    = ENGINE_PLUGIN_VERSION
    VLLM_VERSION      = ENGINE_VLLM_VERSION
    PATCHES           = ENGINE_PATCHES
  }
}

# vLLM's CPU wheels are for x86-64 alone.
target "engine-cpu" {
  inherits   = ["common"]
  platforms  = PLATFORMS == "" ? null : ["linux/amd64"]
  dockerfile = "images/engine/cpu.Dockerfile"
  tags       = ["${REGISTRY}polydraft-engine-cpu:${TAG != "" ? TAG : ENGINE_CPU_TAG}"]
  args = {
    BASE_IMAGE        = ENGINE_CPU_BASE_IMAGE
    POLYDRAFT_VERSION = ENGINE_CPU_POLYDRAFT_VERSION
    PLUGIN_VERSION    = ENGINE_CPU_PLUGIN_VERSION
    VLLM_VERSION      = ENGINE_CPU_VLLM_VERSION
    LIBNUMA1_VERSION  = ENGINE_CPU_LIBNUMA1_VERSION
  }
}

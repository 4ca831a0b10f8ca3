path "transit/encrypt/app" {
  capabilities = ["update"]
}

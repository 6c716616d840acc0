#include "tls.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>

namespace trellis::sim {

namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

void check(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL could not make a certificate");
}

}  // namespace

Certificate make_certificate() {
  const std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Deleter<X509_free>> certificate(X509_new());
  check(key != nullptr && certificate != nullptr);
  X509* x = certificate.get();
  X509_set_version(x, X509_VERSION_3);
  // Serial numbers of one issuer must differ between runs, or clients that saw an older one complain.
  std::unique_ptr<BIGNUM, Deleter<BN_free>> serial(BN_new());
  check(BN_rand(serial.get(), 120, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1);
  BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(x));
  X509_gmtime_adj(X509_getm_notBefore(x), -24L * 3600);
  X509_gmtime_adj(X509_getm_notAfter(x), 365L * 24 * 3600);
  X509_set_pubkey(x, key.get());
  X509_NAME* name = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("trellis-sim"), -1, -1,
                             0);
  X509_set_issuer_name(x, name);
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, x, x, nullptr, nullptr, 0);
  const auto extend = [&](int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    check(extension != nullptr);
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, "critical,CA:TRUE");
  extend(NID_key_usage, "critical,digitalSignature,keyCertSign");
  extend(NID_ext_key_usage, "serverAuth");
  extend(NID_subject_key_identifier, "hash");
  extend(NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  check(X509_sign(x, key.get(), EVP_sha256()) > 0);

  const Bio chain(BIO_new(BIO_s_mem()));
  const Bio secret(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_X509(chain.get(), x) == 1);
  check(PEM_write_bio_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return {text_of(chain.get()), text_of(secret.get())};
}

}  // namespace trellis::sim

// Certificates made on the spot, for tests of TLS in any room: an authority and what it signs,
// P-256, written as PEM files into the test's temporary folder. Included by tests only.
#pragma once

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/check.h"

namespace weir::net::testing_tls {

struct CertificateSpec {
  std::string name = "test.local";           // subject
  std::string alt_names = "DNS:test.local";  // "DNS:a,IP:127.0.0.1"
  long not_before_s = -3600;                 // from now
  long not_after_s = 3600;
};

class Certificate {
 public:
  X509* x509() const { return x509_.get(); }
  EVP_PKEY* key() const { return key_.get(); }
  const std::string& certificate_file() const { return certificate_file_; }
  const std::string& key_file() const { return key_file_; }

  // Signed by `issuer`, or by itself when null; `authority` makes it able to sign others.
  static Certificate make(const CertificateSpec& spec, const Certificate* issuer,
                          bool authority = false) {
    Certificate made;
    made.key_.reset(EVP_EC_gen("P-256"));
    made.x509_.reset(X509_new());
    X509* x = made.x509();
    static long serial = 1;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), spec.not_before_s);
    X509_gmtime_adj(X509_getm_notAfter(x), spec.not_after_s);
    X509_set_pubkey(x, made.key());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(spec.name.c_str()), -1, -1,
                               0);
    const Certificate& signer = issuer != nullptr ? *issuer : made;
    X509_set_issuer_name(x, X509_get_subject_name(signer.x509()));
    made.extend(signer, NID_basic_constraints, authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (!authority) made.extend(signer, NID_subject_alt_name, spec.alt_names);
    WEIR_ASSERT(X509_sign(x, signer.key(), EVP_sha256()) > 0);
    made.write();
    return made;
  }
  static Certificate authority(const std::string& name = "Weir Test CA") {
    return make({.name = name, .alt_names = {}}, nullptr, true);
  }

 private:
  struct Free {
    void operator()(X509* x509) const { X509_free(x509); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
    void operator()(FILE* file) const { std::fclose(file); }
  };

  void extend(const Certificate& signer, int nid, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, signer.x509(), x509(), nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Free> extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    WEIR_ASSERT(extension != nullptr && X509_add_ext(x509(), extension.get(), -1) == 1);
  }

  void write() {
    static int count = 0;
    const std::string stem =
        ::testing::TempDir() + "weir-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    certificate_file_ = stem + ".crt";
    key_file_ = stem + ".key";
    const std::unique_ptr<FILE, Free> out(std::fopen(certificate_file_.c_str(), "we"));
    const std::unique_ptr<FILE, Free> key_out(std::fopen(key_file_.c_str(), "we"));
    WEIR_ASSERT(out != nullptr && PEM_write_X509(out.get(), x509()) == 1);
    WEIR_ASSERT(key_out != nullptr && PEM_write_PrivateKey(key_out.get(), key(), nullptr, nullptr,
                                                           0, nullptr, nullptr) == 1);
  }

  std::unique_ptr<X509, Free> x509_;
  std::unique_ptr<EVP_PKEY, Free> key_;
  std::string certificate_file_;
  std::string key_file_;
};

}  // namespace weir::net::testing_tls

//! TLS towards a broker: authorities, our certificate, and the one exception that is warned of (Z20). Reads files at
//! start.

use std::path::Path;
use std::sync::Arc;

use rumqttc::TlsConfiguration;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config::BrokerConfig;
use crate::uplink::UplinkError;

/// The TLS set-up that `config` asks for.
///
/// # Errors
/// A file is missing or holds no PEM of the right kind.
pub(crate) fn configuration(config: &BrokerConfig) -> Result<TlsConfiguration, UplinkError> {
    let by_certificate = !config.client_cert.as_os_str().is_empty();
    let own_authority = !config.ca_cert.as_os_str().is_empty();
    if !own_authority && !by_certificate && config.tls_reject_unauthorized {
        return TlsConfiguration::try_default_rustls().map_err(|error| refused(config, &config.ca_cert, &error));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(config, &config.ca_cert, &error))?;
    let builder = if config.tls_reject_unauthorized {
        builder.with_root_certificates(authorities(config)?)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
    };
    let set_up = if by_certificate {
        let chain = certificates(config, &config.client_cert)?;
        let key = PrivateKeyDer::from_pem_file(&config.client_key)
            .map_err(|error| refused(config, &config.client_key, &error))?;
        builder.with_client_auth_cert(chain, key).map_err(|error| refused(config, &config.client_cert, &error))?
    } else {
        builder.with_no_client_auth()
    };
    Ok(TlsConfiguration::Rustls(Arc::new(set_up)))
}

fn authorities(config: &BrokerConfig) -> Result<RootCertStore, UplinkError> {
    if config.ca_cert.as_os_str().is_empty() {
        let hint = "a client certificate needs ca_cert too: the authority of the broker";
        return Err(refused(config, &config.client_cert, &hint));
    }
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(config, &config.ca_cert)?);
    if added == 0 {
        return Err(refused(config, &config.ca_cert, &"it holds no certificate of an authority"));
    }
    Ok(roots)
}

fn certificates(config: &BrokerConfig, path: &Path) -> Result<Vec<CertificateDer<'static>>, UplinkError> {
    CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| refused(config, path, &error))
}

fn refused(config: &BrokerConfig, path: &Path, cause: &impl ToString) -> UplinkError {
    UplinkError::Tls { broker: config.name.clone(), path: path.to_owned(), cause: cause.to_string() }
}

/// Believes any certificate. On the vessel's own network only, see `policy_check`.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
